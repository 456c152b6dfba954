"""Answers of X as pages: both spellings of the fields, default fields only, edits, reposts, references, errors."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from collector.base import Parsed
from collector.fields import Fields, address, count, digits, either, items, mapping, moment, word
from collector.x.ids import moment_of
from store.records import Account, Interaction, InteractionKind, Metrics, Post, Removal
from store.text import MAX_CHARS, clean, language

NETWORK = "x"
RESHARES = frozenset(("retweeted", "reposted"))
GONE = {"resource-not-found": "deleted", "not-authorized-for-resource": "protected"}
_HASHTAG = re.compile(r"(?<![\w&/#＃])[#＃]((?=\d*[^\W\d])\w+)")
_HANDLE = re.compile(r"(?<![\w@/])@([A-Za-z0-9_]{1,15})(?!\w)")
_OLD_RESHARE = re.compile(r"RT @\w{1,15}:? ")


def parse(answer: object, now: datetime) -> Parsed:
    """A page of an answer (or of an archive): posts, accounts, interactions, counts as of `now`."""
    return _Reader(mapping(answer), now).read()


def references(item: Fields) -> list[tuple[str, str]]:
    """What a post refers to: (type, id)."""
    found = items(either(item, "referenced_tweets", "referenced_posts"))
    return [(str(ref.get("type")), target) for ref in found if (target := digits(ref.get("id")))]


def versions(item: Fields) -> list[str]:
    """The ids of all versions of a post, the first one first."""
    history = either(item, "edit_history_tweet_ids", "edit_history_post_ids")
    found = [version for value in history if (version := digits(value))] if isinstance(history, list) else []
    own = digits(item.get("id"))
    return found or ([own] if own else [])


def removals(answer: object, asked: Mapping[str, str], parameter: str = "ids") -> list[Removal]:
    """Removals that an answer to a lookup confirms; `asked` maps the ids asked for to posts.id.

    Only an error about the very id that was asked for counts; whatever is merely absent is not confirmed.
    """
    found = []
    for error in items(mapping(answer).get("errors")):
        kind = (word(error.get("type")) or "").rstrip("/").rpartition("/")[2]
        post_id = asked.get(word(either(error, "resource_id", "value")) or "")
        about_it = error.get("parameter") in (parameter, None) and error.get("resource_type") in ("tweet", "post", None)
        if post_id and about_it and kind in GONE:
            found.append(Removal(post_id, "post", GONE[kind]))
    return found


class _Reader:
    """One answer, read once."""

    def __init__(self, answer: Fields, now: datetime) -> None:
        self.now = now
        self.parsed = Parsed()
        self.page = self.parsed.page
        self.data = items(answer.get("data"))
        includes = mapping(answer.get("includes"))
        self.included = items(either(includes, "tweets", "posts"))
        users = [*items(includes.get("users")), *(item for item in self.data if _is_user(item))]
        self.users = {key: user for user in users if (key := digits(user.get("id")))}
        self.names = {name.lower(): key for key, user in self.users.items() if (name := word(user.get("username")))}
        self.first: dict[str, str] = {}
        self.authors: dict[str, str] = {}
        for item in (*self.included, *self.data):
            self._learn(item)

    def _learn(self, item: Fields) -> None:
        ids = versions(item)
        self.first.update(dict.fromkeys(ids, ids[0]) if ids else {})
        if ids and (author := digits(item.get("author_id"))):
            self.authors[ids[0]] = author

    def read(self) -> Parsed:
        accounts = {account.id: account for account in map(self._account, self.users.values()) if account}
        self.page.accounts = list(accounts.values())
        self.closed = {account.id for account in accounts.values() if account.opted_out}
        seen: dict[str, str] = {}
        for item, reference in [(i, False) for i in self.data] + [(i, True) for i in self.included]:
            if not _is_user(item):
                self._read_post(item, reference, seen)
        return self.parsed

    def _skip(self, reason: str) -> None:
        self.parsed.skipped.append(reason)

    def _read_post(self, item: Fields, reference: bool, seen: dict[str, str]) -> None:
        native = digits(item.get("id"))
        if native is None:
            return self._skip("a post without an id")
        if "event_type" in item:
            return self._skip("a direct message: only public posts are kept")
        if either(item, "text", "full_text", "note_tweet", "note_post") is None:
            return self._skip("something without a text: not a post")
        first = self.first.get(native, native)
        if seen.get(first, "") == native or (first in seen and reference):
            return None
        seen[first] = native
        author = digits(item.get("author_id"))
        author_id = f"x:{author}" if author else None
        if author_id in self.closed:
            return self._skip("a post of a protected account")
        if mapping(item.get("withheld")):
            self.page.removals.append(Removal(f"x:{first}", "post", "withheld"))
            return self._skip("a withheld post")
        reshared = next((target for kind, target in references(item) if kind in RESHARES), None)
        if reshared:
            return self._reshare(item, native, author_id, reshared)
        post = self._post(item, native, first, author_id, reference)
        self.page.posts.append(post)
        self._interactions(item, post)
        self._metrics(item, post.id)
        return None

    def _reshare(self, item: Fields, native: str, author_id: str | None, target: str) -> None:
        if author_id is None:
            return self._skip("a reshare without its author")
        when = moment(item.get("created_at")) or moment_of(native)
        self._react("reshare", author_id, target, None, "", when)
        return None

    def _react(
        self, kind: InteractionKind, source: str, post: str | None, account: str | None, via: str, when: datetime
    ) -> None:
        target_post = self.first.get(post, post) if post else None
        known = account or (self.authors.get(target_post) if target_post else None)
        self.page.interactions.append(
            Interaction(
                *(kind, source, f"x:{target_post}" if target_post else None, f"x:{known}" if known else None, via),
                time_low=when,
                time_high=when,
            )
        )

    def _post(self, item: Fields, native: str, first: str, author_id: str | None, reference: bool) -> Post:
        when = moment(item.get("created_at")) or moment_of(native)
        edited = native != first
        raw, entities = _text(item), _entities(item)
        text = readable(raw, entities)
        refs = {kind: self.first.get(target, target) for kind, target in references(item)}
        conversation = digits(item.get("conversation_id"))
        handle = word(self.users.get((author_id or "x:")[2:], {}).get("username"))
        truncated = not refs and bool(_OLD_RESHARE.match(raw)) and author_id is None
        return Post(
            id=f"x:{first}",
            network=NETWORK,
            author_id=author_id,
            text=text,
            created_at=moment_of(first) if edited else when,
            source=NETWORK,
            native_id=native,
            lang=language(text, word(item.get("lang"))),
            url=f"https://x.com/{handle or 'i'}/status/{native}",
            reply_to_id=f"x:{refs['replied_to']}" if "replied_to" in refs else None,
            quote_of_id=f"x:{refs['quoted']}" if "quoted" in refs else None,
            conversation_id=f"x:{self.first.get(conversation, conversation)}" if conversation else None,
            sensitive=item.get("possibly_sensitive") is True,
            hashtags=tuple(_hashtags(entities, text)),
            mentions=tuple(dict.fromkeys(f"x:{name.lower()}" for name, _ in _mentions(entities, text))),
            links=tuple(dict.fromkeys(link for _, link in _links(entities) if link)),
            edited_at=when if edited else None,
            reference=reference or truncated,
        )

    def _interactions(self, item: Fields, post: Post) -> None:
        if post.author_id is None:
            return
        when, parent = post.created_at, digits(item.get("in_reply_to_user_id"))
        if post.reply_to_id:
            self._react("reply", post.author_id, post.reply_to_id[2:], parent, post.id, when)
            parent = parent or self.authors.get(post.reply_to_id[2:])
        if post.quote_of_id:
            self._react("quote", post.author_id, post.quote_of_id[2:], None, post.id, when)
        found = (key or self.names.get(name.lower()) for name, key in _mentions(_entities(item), post.text))
        for target in dict.fromkeys(key for key in found if key):
            if target != parent and f"x:{target}" != post.author_id:
                self._react("mention", post.author_id, None, target, post.id, when)

    def _metrics(self, item: Fields, post_id: str) -> None:
        counts = mapping(item.get("public_metrics"))
        metrics = Metrics(
            post_id,
            self.now,
            NETWORK,
            likes=count(counts.get("like_count")),
            reshares=count(either(counts, "retweet_count", "repost_count")),
            replies=count(counts.get("reply_count")),
            quotes=count(counts.get("quote_count")),
            views=count(counts.get("impression_count")),
        )
        if any(value is not None for value in (metrics.likes, metrics.reshares, metrics.replies, metrics.quotes)):
            self.page.metrics.append(metrics)

    def _account(self, user: Fields) -> Account | None:
        key, handle = digits(user.get("id")), word(user.get("username"), 50)
        if key is None or handle is None:
            self._skip("an account without a name")
            return None
        counts, protected = mapping(user.get("public_metrics")), user.get("protected") is True
        return Account(
            id=f"x:{key}",
            network=NETWORK,
            handle=handle,
            name=word(user.get("name"), 200),
            followers=count(counts.get("followers_count")),
            following=count(counts.get("following_count")),
            posts=count(either(counts, "tweet_count", "post_count")),
            created_at=moment(user.get("created_at")),
            url=f"https://x.com/{handle}",
            protected=protected,
            opted_out="protected" if protected else None,
        )


def _is_user(item: Fields) -> bool:
    return "username" in item and "text" not in item


def _note(item: Fields) -> Fields:
    return mapping(either(item, "note_tweet", "note_post"))


def _text(item: Fields) -> str:
    value = either(_note(item), "text") or either(item, "text", "full_text")
    return value[: 2 * MAX_CHARS] if isinstance(value, str) else ""


def _entities(item: Fields) -> Fields:
    return mapping(_note(item).get("entities")) or mapping(item.get("entities"))


def _links(entities: Fields) -> Iterator[tuple[str, str | None]]:
    """(the short address in the text, the real one; None for the network's own picture or video)."""
    for url in items(entities.get("urls")):
        short = address(url.get("url"))
        picture = (word(url.get("display_url")) or "").startswith("pic.")
        if short:
            yield short, None if picture else address(either(url, "unwound_url", "expanded_url")) or short


def readable(raw: str, entities: Fields) -> str:
    """The text as people see it: X's three HTML entities undone, short addresses replaced by the real ones."""
    for short, real in _links(entities):
        raw = raw.replace(short, real or "")
    return clean(html.unescape(raw) if "&" in raw else raw).strip()


def _hashtags(entities: Fields, text: str) -> Iterator[str]:
    if "hashtags" in entities:
        found = (word(tag.get("tag"), 200) for tag in items(entities.get("hashtags")))
        yield from dict.fromkeys(tag for tag in found if tag)
    else:
        yield from dict.fromkeys(_HASHTAG.findall(text))


def _mentions(entities: Fields, text: str) -> list[tuple[str, str | None]]:
    """(handle, account id if told)."""
    if "mentions" in entities:
        found = ((word(one.get("username"), 50), digits(one.get("id"))) for one in items(entities.get("mentions")))
        return [(name, key) for name, key in found if name]
    return [(name, None) for name in _HANDLE.findall(text)]
