"""Statuses of Mastodon and its kin as pages: identity by uri, HTML to text, boosts as edges, opt-outs, public only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from collector.base import Parsed
from collector.fields import Fields, address, count, either, items, mapping, moment, word
from collector.mastodon.optout import POLICY, opted_out
from store.records import Account, Interaction, InteractionKind, Metrics, Page, Post
from store.text import clean, from_html, language

NETWORK = "mastodon"
_LINK = re.compile(r"https?://[^\s<>\"]+")


def parse(
    statuses: object,
    now: datetime,
    source: str,
    *,
    domain: str | None = None,
    context: Sequence[Fields] = (),
    known: Mapping[str, str] | None = None,
    policy: frozenset[str] = POLICY,
) -> Parsed:
    """A page of statuses as of `now`.

    `source` is the host of the instance that showed them, `domain` what it adds to the names of its own people (None:
    read from their addresses). `context` are statuses that only explain others (parents of replies): references.
    `known` are posts.id by ids of this instance, for what is answered or quoted but not shown.
    """
    reader = _Reader(now, source, domain, policy)
    reader.uris.update(known or {})
    found = items(statuses)
    for status in (*found, *context):
        reader.learn(status)
    for status in found:
        reader.status(status, reference=False)
    for status in context:
        reader.status(status, reference=True)
    reader.page.accounts = list(reader.accounts.values())
    return reader.parsed


def accounts(people: object, now: datetime, source: str, domain: str | None = None) -> list[Account]:
    """A list of accounts, such as those who boosted."""
    reader = _Reader(now, source, domain, POLICY)
    for person in items(people):
        reader.account(person)
    return list(reader.accounts.values())


def missing_parents(statuses: Iterable[Fields]) -> list[str]:
    """Ids of answered statuses that are not among these themselves."""
    found = list(statuses)
    here = {word(status.get("id")) for status in found}
    wanted = (word(status.get("in_reply_to_id")) for status in found)
    return list(dict.fromkeys(key for key in wanted if key and key not in here))


def account_id(person: Fields, source: str, domain: str | None) -> str | None:
    """`acct:user@host` in lower case; the instance's domain is added to local names."""
    name = (word(person.get("acct"), 500) or word(person.get("username"), 500) or "").lstrip("@").lower()
    if not name or any(c.isspace() for c in name):
        return None
    if "@" in name:
        return f"acct:{name}"
    home = domain or host_of(either(person, "uri", "url")) or source
    return f"acct:{name}@{home.lower()}"


def host_of(url: object) -> str | None:
    """The host of an address."""
    try:
        return urlsplit(address(url) or "").hostname
    except ValueError:
        return None


class _Reader:
    """Statuses of one answer."""

    def __init__(self, now: datetime, source: str, domain: str | None, policy: frozenset[str]) -> None:
        self.now, self.source, self.domain, self.policy = now, source, domain, policy
        self.parsed = Parsed()
        self.page: Page = self.parsed.page
        self.accounts: dict[str, Account] = {}
        self.uris: dict[str, str] = {}
        self.authors: dict[str, str] = {}
        self.seen: set[str] = set()

    def learn(self, status: Fields) -> None:
        """Remember what an id of this instance stands for."""
        for one in (status, mapping(status.get("reblog"))):
            key, uri = word(one.get("id")), _uri(one)
            if key and uri:
                self.uris[key] = uri
                person = mapping(one.get("account"))
                author = account_id(person, self.source, self.domain)
                if author and (native := word(person.get("id"))):
                    self.authors[native] = author

    def _skip(self, reason: str) -> None:
        self.parsed.skipped.append(reason)

    def account(self, person: Fields) -> Account | None:
        """An account, once."""
        key = account_id(person, self.source, self.domain)
        if key is None:
            return None
        if key not in self.accounts:
            self.accounts[key] = Account(
                id=key,
                network=NETWORK,
                handle=key.removeprefix("acct:"),
                name=word(person.get("display_name"), 500),
                followers=count(person.get("followers_count")),
                following=count(person.get("following_count")),
                posts=count(person.get("statuses_count")),
                created_at=moment(person.get("created_at")),
                url=address(person.get("url")),
                bot=person.get("bot") is True,
                opted_out=opted_out(person, self.policy),
            )
        return self.accounts[key]

    def status(self, status: Fields, reference: bool) -> str | None:
        """Read one status; returns posts.id of what is kept of it."""
        wrapped = mapping(status.get("reblog"))
        if wrapped:
            return self._boost(status, wrapped)
        uri, when = _uri(status), moment(status.get("created_at"))
        if uri is None or when is None:
            self._skip("a status without an address" if uri is None else "a status whose time cannot be read")
            return None
        if status.get("visibility", "public") != "public":
            self._skip("a status that is not public")
            return None
        author = self.account(mapping(status.get("account")))
        if author and author.opted_out:
            self._skip(f"a status of an account that opted out ({author.opted_out})")
            return None
        if uri not in self.seen:
            self.seen.add(uri)
            post = self._post(status, uri, when, author, reference)
            self.page.posts.append(post)
            self._interactions(status, post)
            self._metrics(status, uri)
        return uri

    def _boost(self, status: Fields, wrapped: Fields) -> str | None:
        """The boosted status came along; the edge is the booster's, and only where the boost itself is public."""
        target = self.status(wrapped, reference=True)
        booster, when = self.account(mapping(status.get("account"))), moment(status.get("created_at"))
        if target is None or booster is None or booster.opted_out:
            return target
        if status.get("visibility", "public") in ("public", "unlisted"):
            author = account_id(mapping(wrapped.get("account")), self.source, self.domain)
            self._react("reshare", booster.id, target, author, "", when)
        return target

    def _react(
        self, kind: InteractionKind, source: str, post: str | None, account: str | None, via: str, when: datetime | None
    ) -> None:
        if post or account:
            self.page.interactions.append(Interaction(kind, source, post, account, via, when, when))

    def _post(self, status: Fields, uri: str, when: datetime, author: Account | None, reference: bool) -> Post:
        content = status.get("content")
        text = from_html(content) if isinstance(content, str) else ""
        tags = (word(tag.get("name"), 200) for tag in items(status.get("tags")))
        return Post(
            id=uri,
            network=NETWORK,
            author_id=author.id if author else None,
            text=text,
            created_at=when,
            source=self.source,
            native_id=word(status.get("id")) or uri,
            lang=language(text, word(status.get("language"))),
            url=address(status.get("url")),
            reply_to_id=self.uris.get(word(status.get("in_reply_to_id")) or ""),
            quote_of_id=self._quoted(status),
            spoiler=clean(status["spoiler_text"]) if isinstance(status.get("spoiler_text"), str) else "",
            sensitive=status.get("sensitive") is True,
            hashtags=tuple(dict.fromkeys(tag for tag in tags if tag)),
            mentions=tuple(dict.fromkeys(key.removeprefix("acct:") for _, key in self._mentions(status))),
            links=tuple(dict.fromkeys(_LINK.findall(text))),
            edited_at=moment(status.get("edited_at")),
            reference=reference,
        )

    def _quoted(self, status: Fields) -> str | None:
        """posts.id of what is quoted: Mastodon 4.5 wraps it with its state, other servers put the status itself."""
        quote = mapping(status.get("quote"))
        quoted = mapping(quote.get("quoted_status")) or (quote if "uri" in quote else {})
        if quoted:
            return self.status({**quoted, "quote": None}, reference=True)
        return self.uris.get(word(either({**status, **quote}, "quoted_status_id", "quote_id")) or "")

    def _mentions(self, status: Fields) -> list[tuple[str | None, str]]:
        found = (
            (word(one.get("id")), account_id(one, self.source, self.domain)) for one in items(status.get("mentions"))
        )
        return [(native, key) for native, key in found if key]

    def _interactions(self, status: Fields, post: Post) -> None:
        if post.author_id is None:
            return
        mentions = self._mentions(status)
        answered = word(status.get("in_reply_to_account_id"))
        parent = next((key for native, key in mentions if answered and native == answered), None)
        parent = parent or self.authors.get(answered or "")
        if status.get("in_reply_to_id"):
            self._react("reply", post.author_id, post.reply_to_id, parent, post.id, post.created_at)
        if post.quote_of_id:
            quoted = next((p.author_id for p in self.page.posts if p.id == post.quote_of_id), None)
            self._react("quote", post.author_id, post.quote_of_id, quoted, post.id, post.created_at)
        for key in dict.fromkeys(key for _, key in mentions):
            if key not in (parent, post.author_id):
                self._react("mention", post.author_id, None, key, post.id, post.created_at)

    def _metrics(self, status: Fields, uri: str) -> None:
        likes, reshares = count(status.get("favourites_count")), count(status.get("reblogs_count"))
        replies, quotes = count(status.get("replies_count")), count(status.get("quotes_count"))
        if any(value is not None for value in (likes, reshares, replies)):
            self.page.metrics.append(Metrics(uri, self.now, self.source, likes, reshares, replies, quotes))


def _uri(status: Fields) -> str | None:
    return address(either(status, "uri", "url")) or word(status.get("uri"))
