"""Lists of what is in a world, sorted by time, so that a server answers by bisection."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Generic, TypeVar

from sandbox.world import Network, Person, Post, Reshare, World

Clock = Callable[[], datetime]
T = TypeVar("T")
HANDLE = re.compile(r"(?<![\w@/])@([A-Za-z0-9_]+)(?:@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+))?")
HASHTAG = re.compile(r"(?<![\w&/#＃])[#＃]((?=\d*[^\W\d])\w+)")
ADDRESS = re.compile(r"https?://[A-Za-z0-9][^\s<>\"'()、。」』）]*[^\s<>\"'()、。」』）.,;:!?]")


class Timeline(Generic[T]):
    """Items sorted by a time, with the times beside them."""

    __slots__ = ("items", "times")

    def __init__(self, pairs: Iterable[tuple[datetime, T]] = ()) -> None:
        ordered = sorted(pairs, key=lambda pair: pair[0])
        self.times: list[datetime] = [moment for moment, _ in ordered]
        self.items: list[T] = [item for _, item in ordered]

    def count(self, now: datetime) -> int:
        """How many there are at or before `now`."""
        return bisect_right(self.times, now)

    def until(self, now: datetime) -> list[T]:
        """What there is at or before `now`, oldest first."""
        return self.items[: bisect_right(self.times, now)]

    def between(self, low: datetime, high: datetime) -> list[T]:
        """What lies in low <= time < high, oldest first."""
        return self.items[bisect_left(self.times, low) : bisect_left(self.times, high)]


def grouped(triples: Iterable[tuple[str, datetime, T]]) -> dict[str, Timeline[T]]:
    """One timeline for each key."""
    groups: dict[str, list[tuple[datetime, T]]] = defaultdict(list)
    for key, moment, item in triples:
        groups[key].append((moment, item))
    return {key: Timeline(pairs) for key, pairs in groups.items()}


def appears(post: Post) -> datetime:
    """When the network begins to show a post."""
    return post.created_at + post.indexed_after


def text_at(post: Post, now: datetime) -> str:
    """The text of the newest edit at or before `now`."""
    text, newest = post.text, None
    for edit in post.edits:
        if edit.at <= now and (newest is None or edit.at >= newest):
            text, newest = edit.text, edit.at
    return text


def edited_at(post: Post, now: datetime) -> datetime | None:
    """When a post was last edited, seen from `now`."""
    return max((edit.at for edit in post.edits if edit.at <= now), default=None)


class NetworkIndex:
    """One network of a world, by author, parent, quoted post and reshared post."""

    def __init__(self, world: World, network: Network) -> None:
        self.people = {key: person for key, person in world.people.items() if person.network == network}
        self.posts = {key: post for key, post in world.posts.items() if post.network == network}
        posts = self.posts.values()
        reshares = [reshare for reshare in world.reshares if reshare.of in self.posts and reshare.by in self.people]
        likes = [like for like in world.likes if like.of in self.posts]
        self.all = Timeline((appears(post), post) for post in posts)
        self.by_author = grouped((post.author, appears(post), post) for post in posts)
        self.replies = grouped((post.reply_to, appears(post), post) for post in posts if post.reply_to)
        self.quotes = grouped((post.quote_of, appears(post), post) for post in posts if post.quote_of)
        self.reshares = {reshare.id: reshare for reshare in reshares}
        self.reshares_of = grouped((reshare.of, reshare.at, reshare) for reshare in reshares)
        self.reshares_by = grouped((reshare.by, reshare.at, reshare) for reshare in reshares)
        self.likes_of = grouped((like.of, like.at, like.by) for like in likes)
        self._roots: dict[str, str] = {}

    def root(self, post: Post) -> str:
        """The id of the first post of a conversation, also when that post itself is unknown here."""
        chain: list[str] = []
        current: Post | None = post
        root = post.id
        while current is not None and current.id not in chain:
            if current.id in self._roots:
                root = self._roots[current.id]
                break
            chain.append(current.id)
            root = current.reply_to or current.id
            current = self.posts.get(current.reply_to) if current.reply_to else None
        self._roots.update(dict.fromkeys(chain, root))
        return root

    def gone(self, person: Person | None, now: datetime) -> bool:
        """Whether an account is unknown or suspended at `now`."""
        return person is None or (person.suspended_at is not None and person.suspended_at <= now)

    def exists(self, post: Post, now: datetime) -> bool:
        """Whether a post is there at `now`: shown already, not deleted, its author not suspended."""
        if appears(post) > now or (post.deleted_at is not None and post.deleted_at <= now):
            return False
        return not self.gone(self.people.get(post.author), now)

    def alive(self, posts: Timeline[Post] | None, now: datetime) -> list[Post]:
        """Those of a timeline that exist at `now`, oldest first."""
        return [post for post in posts.until(now) if self.exists(post, now)] if posts else []

    def reshares_until(self, post_id: str, now: datetime) -> list[Reshare]:
        """The reshares of a post by accounts not suspended at `now`, oldest first."""
        line = self.reshares_of.get(post_id)
        return [one for one in line.until(now) if not self.gone(self.people[one.by], now)] if line else []


class Indexes:
    """The indexes of a world, built when first needed and again when something was added or `revision` was raised."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._built: dict[Network, tuple[tuple[int, ...], NetworkIndex]] = {}
        self._lock = threading.Lock()

    def get(self, network: Network) -> NetworkIndex:
        """The current index of a network."""
        world = self.world
        mark = (world.revision, len(world.people), len(world.posts), len(world.reshares), len(world.likes))
        with self._lock:
            built = self._built.get(network)
            if built is None or built[0] != mark:
                built = (mark, NetworkIndex(world, network))
                self._built[network] = built
            return built[1]
