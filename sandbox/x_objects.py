"""Posts, users and pages as X API v2 sends them: only the fields asked for, null fields left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.index import ADDRESS, HANDLE
from sandbox.world import Person
from sandbox.x_index import Entry, XIndex
from sandbox.x_text import LIMIT, cut, rendered, weight

JSONDict = dict[str, Any]
PROBLEMS = "https://api.twitter.com/2/problems/"
POST_FIELDS = (
    "article", "attachments", "author_id", "card_uri", "community_id", "context_annotations", "conversation_id",
    "created_at", "display_text_range", "edit_controls", "edit_history_tweet_ids", "entities", "geo", "id",
    "in_reply_to_user_id", "lang", "media_metadata", "non_public_metrics", "note_tweet", "organic_metrics",
    "possibly_sensitive", "promoted_metrics", "public_metrics", "referenced_tweets", "reply_settings", "scopes",
    "source", "suggested_source_links", "text", "withheld",
)  # fmt: skip
USER_FIELDS = (
    "affiliation", "confirmed_email", "connection_status", "created_at", "description", "entities", "id",
    "is_identity_verified", "location", "most_recent_tweet_id", "name", "parody", "pinned_tweet_id",
    "profile_banner_url", "profile_image_url", "protected", "public_metrics", "receives_your_dm", "subscription",
    "subscription_type", "url", "username", "verified", "verified_followers_count", "verified_type", "withheld",
)  # fmt: skip
EXPANSIONS = (
    "article.cover_media", "article.media_entities", "attachments.media_keys", "attachments.media_source_tweet",
    "attachments.poll_ids", "author_id", "edit_history_tweet_ids", "entities.mentions.username", "geo.place_id",
    "in_reply_to_user_id", "entities.note.mentions.username", "referenced_tweets.id",
    "referenced_tweets.id.attachments.media_keys", "referenced_tweets.id.author_id",
)  # fmt: skip
NEW_NAMES = {
    "edit_history_tweet_ids": "edit_history_post_ids", "referenced_tweets": "referenced_posts",
    "note_tweet": "note_post", "retweet_count": "repost_count", "tweet_count": "post_count",
    "total_tweet_count": "total_post_count", "pinned_tweet_id": "pinned_post_id",
    "most_recent_tweet_id": "most_recent_post_id", "tweets": "posts",
}  # fmt: skip
OLD_NAMES = {new: old for old, new in NEW_NAMES.items()} | {"referenced_posts.id": "referenced_tweets.id"}
BROUGHT = {  # the field that an expansion adds by itself
    "author_id": "author_id", "in_reply_to_user_id": "in_reply_to_user_id", "referenced_tweets.id": "referenced_tweets",
    "referenced_tweets.id.author_id": "referenced_tweets", "entities.mentions.username": "entities",
}  # fmt: skip


def stamp(moment: datetime) -> str:
    """A time as X writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def respelled(value: Any) -> Any:
    """The same answer in the newer spelling of the fields (`Post`, `repost_count`)."""
    if isinstance(value, dict):
        return {NEW_NAMES.get(key, key): respelled(item) for key, item in value.items()}
    return [respelled(item) for item in value] if isinstance(value, list) else value


def not_found(kind: str, value: str, parameter: str) -> JSONDict:
    """The partial error for what does not exist."""
    noun = {"tweet": "tweet", "user": "user"}[kind]
    return {
        "value": value, "detail": f"Could not find {noun} with {parameter}: [{value}].", "title": "Not Found Error",
        "resource_type": kind, "parameter": parameter, "resource_id": value, "type": PROBLEMS + "resource-not-found",
    }  # fmt: skip


def not_authorized(value: str, parameter: str) -> JSONDict:
    """The partial error for a post of a protected account."""
    return {
        "resource_id": value, "parameter": parameter, "resource_type": "tweet", "section": "data", "value": value,
        "title": "Authorization Error", "type": PROBLEMS + "not-authorized-for-resource",
        "detail": f"Sorry, you are not authorized to see the Tweet with {parameter}: [{value}].",
    }  # fmt: skip


def suspended(value: str, parameter: str) -> JSONDict:
    """The partial error for a suspended account."""
    return {
        "value": value, "detail": f"User has been suspended: [{value}].", "title": "Forbidden", "resource_type": "user",
        "parameter": parameter, "resource_id": value, "type": PROBLEMS + "resource-not-found",
    }  # fmt: skip


def _with_entities(text: str, entities: JSONDict) -> JSONDict:
    return {"text": text, "entities": entities} if entities else {"text": text}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for."""

    fields: frozenset[str]
    user_fields: frozenset[str]
    expansions: frozenset[str]

    @classmethod
    def of(cls, fields: Iterable[str], user_fields: Iterable[str], expansions: Iterable[str]) -> Wanted:
        """With the fields that expansions bring."""
        wished = frozenset(expansions)
        brought = {BROUGHT[name] for name in wished if name in BROUGHT}
        return cls(frozenset(fields) | brought, frozenset(user_fields), wished)


class Renderer:
    """Turns entries and people into objects, as they are at `now`."""

    def __init__(self, index: XIndex, now: datetime, wanted: Wanted) -> None:
        self.index, self.now, self.wanted = index, now, wanted
        self.errors: list[JSONDict] = []

    def page(self, entries: Sequence[Entry]) -> JSONDict:
        """`data`, `includes` and `errors` of a list of entries; without `data` when there are none."""
        answer: JSONDict = {}
        if entries:
            answer["data"] = [self.post(entry) for entry in entries]
        includes = self._includes(entries)
        if includes:
            answer["includes"] = includes
        if self.errors:
            answer["errors"] = self.errors
        return answer

    def post(self, entry: Entry) -> JSONDict:
        """One post, or a repost as a post of its own."""
        fields = self.wanted.fields
        answer: JSONDict = {"id": entry.id, "edit_history_tweet_ids": self.index.history(entry, self.now)}
        answer.update(self._text(entry))
        author, post = self.index.author(entry), entry.post
        plain = entry.reshare is None
        parent = self._parent_author(entry)
        candidates = {
            "author_id": author.key if author else None,
            "created_at": stamp(entry.at),
            "conversation_id": self.index.base.root(post) if plain else entry.id,
            "in_reply_to_user_id": parent.key if parent else None,
            "lang": post.lang or "und",
            "possibly_sensitive": post.sensitive,
            "reply_settings": "everyone",
        }
        answer.update({name: value for name, value in candidates.items() if name in fields and value is not None})
        if "referenced_tweets" in fields and (references := self._references(entry)):
            answer["referenced_tweets"] = [{"type": kind, "id": target} for kind, target in references]
        if "public_metrics" in fields:
            answer["public_metrics"] = self._metrics(entry)
        if "withheld" in fields and post.withheld_in:
            answer["withheld"] = {"copyright": False, "country_codes": list(post.withheld_in)}
        if "edit_controls" in fields and plain:
            left = 5 - (len(self.index.history(entry, self.now)) - 1)
            answer["edit_controls"] = {
                "edits_remaining": max(left, 0), "is_edit_eligible": left > 0 and post.reply_to is None,
                "editable_until": stamp(post.created_at + timedelta(hours=1)),
            }  # fmt: skip
        return answer

    def user(self, person: Person) -> JSONDict:
        """One account."""
        fields = self.wanted.user_fields
        answer: JSONDict = {"id": person.key, "name": person.name, "username": person.handle}
        candidates: JSONDict = {
            "created_at": stamp(person.created_at),
            "description": person.bio,
            "protected": person.protected,
            "verified": person.verified,
            "verified_type": "blue" if person.verified else "none",
            "profile_image_url": f"https://pbs.twimg.com/profile_images/{person.key}/avatar_normal.png",
            "url": "",
        }
        answer.update({name: value for name, value in candidates.items() if name in fields})
        if "entities" in fields and (urls := self._bio_urls(person)):
            answer["entities"] = {"description": {"urls": urls}}
        if "public_metrics" in fields:
            answer["public_metrics"] = self._account_metrics(person)
        if "most_recent_tweet_id" in fields and (newest := self.index.newest(person, self.now)):
            answer["most_recent_tweet_id"] = newest.id
        return answer

    def _text(self, entry: Entry) -> JSONDict:
        if entry.id not in self.index.rendered:
            self.index.rendered[entry.id] = self._rendered(entry)
        whole: JSONDict = self.index.rendered[entry.id]
        return {name: value for name, value in whole.items() if name == "text" or name in self.wanted.fields}

    def _rendered(self, entry: Entry) -> JSONDict:
        handles = self.index.ids
        if entry.reshare is not None:
            original = self.index.base.people.get(entry.post.author)
            said = self.index.current(entry.post, entry.at).text
            whole = f"RT @{original.handle if original else 'unknown'}: {said}"
            return _with_entities(*rendered(whole if len(whole) <= 140 else whole[:139] + "…", handles))
        text, entities = rendered(entry.text, handles)
        if weight(entry.text) <= LIMIT:
            return _with_entities(text, entities)
        short = rendered(cut(entry.text, f"https://x.com/i/web/status/{entry.id}"), handles)
        return {**_with_entities(*short), "note_tweet": _with_entities(text, entities)}

    def _parent_author(self, entry: Entry) -> Person | None:
        post = entry.post
        parent = self.index.base.posts.get(post.reply_to) if post.reply_to and entry.reshare is None else None
        return self.index.base.people.get(parent.author) if parent else None

    def _references(self, entry: Entry) -> list[tuple[str, str]]:
        if entry.reshare is not None:
            return [("retweeted", self.index.current(entry.post, entry.at).id)]
        found = (("quoted", entry.post.quote_of), ("replied_to", entry.post.reply_to))
        return [(kind, self._version_then(target, entry)) for kind, target in found if target]

    def _version_then(self, target: str, entry: Entry) -> str:
        post = self.index.base.posts.get(target)
        return self.index.current(post, entry.post.created_at).id if post else target

    def _metrics(self, entry: Entry) -> JSONDict:
        base, now, post = self.index.base, self.now, entry.post
        reposts = len(base.reshares_until(post.id, now))
        if entry.reshare is not None:
            return {
                "retweet_count": reposts,
                "reply_count": 0,
                "like_count": 0,
                "quote_count": 0,
                "bookmark_count": 0,
                "impression_count": 0,
            }
        likes = base.likes_of[post.id].count(now) if post.id in base.likes_of else 0
        author = base.people.get(post.author)
        hours = max((now - post.created_at).total_seconds() / 3600, 0.0)
        seen = (author.followers if author else 0) * hours / (hours + 6) * 0.3
        return {
            "retweet_count": reposts,
            "reply_count": len(base.alive(base.replies.get(post.id), now)),
            "like_count": likes,
            "quote_count": len(base.alive(base.quotes.get(post.id), now)),
            "bookmark_count": likes // 20,
            "impression_count": int(seen) + 40 * reposts + 12 * likes,
        }

    def _account_metrics(self, person: Person) -> JSONDict:
        return {
            "followers_count": person.followers, "following_count": person.following,
            "tweet_count": self.index.posted(person, self.now), "listed_count": person.followers // 200,
            "like_count": 0, "media_count": 0,
        }  # fmt: skip

    def _bio_urls(self, person: Person) -> list[JSONDict]:
        _, entities = rendered(person.bio, {}) if ADDRESS.search(person.bio) else ("", {})
        urls: list[JSONDict] = entities.get("urls", [])
        return urls

    def _includes(self, entries: Sequence[Entry]) -> JSONDict:
        wanted = self.wanted.expansions
        people: dict[str, Person] = {}
        referenced: list[Entry] = []
        if wanted & {"referenced_tweets.id", "referenced_tweets.id.author_id"}:
            referenced = self._referenced(entries)
        if "author_id" in wanted:
            self._add(people, (self.index.author(entry) for entry in entries))
        if "in_reply_to_user_id" in wanted:
            self._add(people, (self._parent_author(entry) for entry in entries))
        if "referenced_tweets.id.author_id" in wanted:
            self._add(people, (self.index.author(entry) for entry in referenced))
        if "entities.mentions.username" in wanted:
            handles = (match.group(1) for entry in entries for match in HANDLE.finditer(entry.text))
            self._add(people, (self.index.handles.get(handle.casefold()) for handle in handles))
        includes: JSONDict = {}
        if people:
            includes["users"] = [self.user(person) for person in people.values()]
        if referenced:
            includes["tweets"] = [self.post(entry) for entry in referenced]
        return includes

    def _add(self, people: dict[str, Person], found: Iterable[Person | None]) -> None:
        known = (person for person in found if person is not None)
        people.update((person.key, person) for person in known if not self.index.base.gone(person, self.now))

    def _referenced(self, entries: Sequence[Entry]) -> list[Entry]:
        found: dict[str, Entry] = {}
        missing: dict[str, JSONDict] = {}
        for entry in entries:
            for _, target in self._references(entry):
                other = self.index.find(target)
                if other is None or not self.index.exists(other, self.now):
                    missing[target] = not_found("tweet", target, "referenced_tweets.id")
                elif self.index.protected(other):
                    missing[target] = not_authorized(target, "referenced_tweets.id")
                else:
                    found[target] = other
        self.errors.extend(missing.values())
        return list(found.values())
