"""One instance's view of the fediverse: its own posts, those that reached it, and the ids it gives them."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.index import NetworkIndex, appears, text_at
from sandbox.mastodon_text import tags_of
from sandbox.world import Person, Post, Reshare, mastodon_id


@dataclass(slots=True)
class Status:
    """A post or a boost under this instance's id; `key` is the id as a number, `shown` when it arrived here."""

    id: str
    key: int
    at: datetime
    shown: datetime
    post: Post
    author: Person
    reshare: Reshare | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The paging parameters of a request."""

    limit: int
    max_id: int | None = None
    since_id: int | None = None
    min_id: int | None = None

    def of(self, statuses: Sequence[Status], wanted: Callable[[Status], bool]) -> list[Status]:
        """The page, newest first; with `min_id` the one right after it. `statuses` are sorted by key."""
        low = max(self.since_id or -1, self.min_id if self.min_id is not None else -1)
        left = _position(statuses, low + 1)
        right = _position(statuses, self.max_id) if self.max_id is not None else len(statuses)
        forward = self.min_id is not None
        order: Iterator[int] = iter(range(left, right) if forward else range(right - 1, left - 1, -1))
        found: list[Status] = []
        for position in order:
            if wanted(statuses[position]):
                found.append(statuses[position])
                if len(found) == self.limit:
                    break
        return found[::-1] if forward else found


def _position(statuses: Sequence[Status], key: int) -> int:
    low, high = 0, len(statuses)
    while low < high:
        middle = (low + high) // 2
        if statuses[middle].key < key:
            low = middle + 1
        else:
            high = middle
    return low


def _number(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:7], "big")


class InstanceView:
    """Built over a network index for one instance; valid as long as that is."""

    def __init__(self, base: NetworkIndex, instance: str) -> None:
        self.base, self.instance = base, instance
        self.by_acct = {(person.handle.casefold(), person.instance): person for person in base.people.values()}
        self.account_ids = {person.key: self._account_id(person) for person in base.people.values()}
        self.accounts = {self.account_ids[person.key]: person for person in base.people.values()}
        self.of_post: dict[str, Status] = {}
        for post in base.posts.values():
            status = self._status(post)
            if status is not None:
                self.of_post[post.id] = status
        self.boosts = {one.id: self._boost(one) for one in base.reshares.values() if one.of in self.of_post}
        self.by_id = {status.id: status for status in (*self.of_post.values(), *self.boosts.values())}
        self.ordered = sorted(self.of_post.values(), key=lambda status: status.key)
        self.tagged: dict[str, list[Status]] = defaultdict(list)
        self.by_author: dict[str, list[Status]] = defaultdict(list)
        self.contents: dict[tuple[str, str], str] = {}
        self._counts: dict[str, tuple[list[datetime], list[datetime]]] = {}
        for status in self.ordered:
            texts = [status.post.text, *(edit.text for edit in status.post.edits)]
            for tag in dict.fromkeys(tag for text in texts for tag in tags_of(text)):
                self.tagged[tag].append(status)
        for status in sorted(self.by_id.values(), key=lambda status: status.key):
            self.by_author[status.author.key].append(status)

    def local(self, person: Person) -> bool:
        """Whether an account lives on this instance."""
        return person.instance == self.instance

    def find(self, handle: str, host: str) -> Person | None:
        """An account by its name on an instance."""
        return self.by_acct.get((handle.casefold(), host.casefold()))

    def exists(self, status: Status, now: datetime) -> bool:
        """Whether anybody may see it here at `now`: public or unlisted, arrived and not deleted."""
        post = status.post
        if status.shown > now or post.visibility not in ("public", "unlisted"):
            return False
        return self.base.exists(post, now) and not self.base.gone(status.author, now)

    def counted(self, person_key: str, post: Post) -> bool:
        """Whether this instance hears of a reaction: on the post's home always, elsewhere from its own people."""
        author, person = self.base.people[post.author], self.base.people.get(person_key)
        return self.local(author) or (person is not None and self.local(person))

    def boosts_of(self, post: Post, now: datetime) -> list[Status]:
        """The boosts of a post that this instance knows at `now`, by id."""
        known = (one for one in self.base.reshares_until(post.id, now) if self.counted(one.by, post))
        return sorted((self.boosts[one.id] for one in known), key=lambda status: status.key)

    def likers_of(self, post: Post, now: datetime) -> list[Person]:
        """Who favourited a post, as far as this instance knows at `now`, newest first."""
        likes = self.base.likes_of.get(post.id)
        keys = [key for key in likes.until(now) if self.counted(key, post)] if likes else []
        return [self.base.people[key] for key in reversed(keys) if key in self.base.people]

    def likes_count(self, post: Post, now: datetime) -> int:
        """How many favourited a post, as far as this instance knows at `now`."""
        likes = self.base.likes_of.get(post.id)
        if likes is None:
            return 0
        if self.local(self.base.people[post.author]):
            return likes.count(now)
        return sum(1 for key in likes.until(now) if self.counted(key, post))

    def children(self, post: Post, now: datetime, quotes: bool = False) -> list[Status]:
        """The replies (or quotes) that this instance knows at `now`, by id."""
        line = (self.base.quotes if quotes else self.base.replies).get(post.id)
        found = (self.of_post.get(child.id) for child in (line.items if line else ()))
        return sorted((one for one in found if one and self.exists(one, now)), key=lambda status: status.key)

    def posted(self, person: Person, now: datetime) -> int:
        """How many statuses an account shows here at `now`, boosts among them."""
        if person.key not in self._counts:
            seen = [one for one in self.by_author.get(person.key, ()) if one.post.visibility in ("public", "unlisted")]
            gone = [max(one.shown, one.post.deleted_at) for one in seen if one.post.deleted_at]
            self._counts[person.key] = sorted(one.shown for one in seen), sorted(gone)
        shown, deleted = self._counts[person.key]
        return bisect_right(shown, now) - bisect_right(deleted, now)

    def newest(self, person: Person, now: datetime) -> Status | None:
        """The newest status of an account at `now`."""
        return next((one for one in reversed(self.by_author.get(person.key, ())) if self.exists(one, now)), None)

    def has_tag(self, status: Status, tags: Sequence[str], now: datetime) -> bool:
        """Whether the text as it is at `now` carries one of the tags."""
        return not set(tags).isdisjoint(tags_of(text_at(status.post, now)))

    def _account_id(self, person: Person) -> str:
        if self.local(person):
            return person.key
        return str(10**17 + _number(self.instance, "account", person.key) % 10**16)

    def _status(self, post: Post) -> Status | None:
        author = self.base.people.get(post.author)
        if author is None:
            return None
        if self.local(author):
            return Status(post.id, int(post.id), post.created_at, appears(post), post, author)
        if post.known_to is not None and self.instance not in post.known_to:
            return None
        key = self._foreign_id(post.created_at, post.id)
        return Status(key, int(key), post.created_at, appears(post) + post.federated_after, post, author)

    def _boost(self, reshare: Reshare) -> Status:
        post, author = self.base.posts[reshare.of], self.base.people[reshare.by]
        key = reshare.id if self.local(author) else self._foreign_id(reshare.at, reshare.id)
        shown = max(reshare.at, self.of_post[post.id].shown)
        return Status(key, int(key), reshare.at, shown, post, author, reshare)

    def _foreign_id(self, moment: datetime, remote_id: str) -> str:
        serial = _number(self.instance, "status", remote_id)
        return mastodon_id(moment + timedelta(milliseconds=serial // 65536 % 4), serial)
