"""What exists in the sandbox network: people, posts and what happened to them, each at its own time.

The servers show only what had happened by the world's clock; `truth` sees everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

Network = Literal["x", "mastodon"]
X_EPOCH_MS = 1288834974657


def x_id(moment: datetime, serial: int = 0) -> str:
    """A snowflake id as X gives them: milliseconds since its epoch, then 22 bits of machine and sequence."""
    return str(((int(moment.timestamp() * 1000) - X_EPOCH_MS) << 22) + serial % (1 << 22))


def mastodon_id(moment: datetime, serial: int = 0) -> str:
    """A Mastodon id: milliseconds since 1970, then 16 bits."""
    return str((int(moment.timestamp() * 1000) << 16) + serial % (1 << 16))


@dataclass(frozen=True, slots=True)
class Person:
    """An account; `key` is its id on its network (digits), `instance` a host name for Mastodon."""

    key: str
    network: Network
    handle: str
    name: str
    bio: str = ""
    followers: int = 0
    following: int = 0
    created_at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    instance: str = "mastodon.sandbox"
    bot: bool = False
    protected: bool = False
    noindex: bool = False
    discoverable: bool = True
    indexable: bool = True
    verified: bool = False
    suspended_at: datetime | None = None


@dataclass(slots=True)
class Edit:
    """A new text from `at` on."""

    at: datetime
    text: str


@dataclass(slots=True)
class Post:
    """A post in plain text: `#tags`, `@handles` and addresses are marked up by the servers as each network does it."""

    id: str
    network: Network
    author: str
    text: str
    lang: str | None
    created_at: datetime
    reply_to: str | None = None
    quote_of: str | None = None
    visibility: Literal["public", "unlisted", "private", "direct"] = "public"
    spoiler: str = ""
    edits: list[Edit] = field(default_factory=list)
    deleted_at: datetime | None = None
    indexed_after: timedelta = timedelta(0)
    pinned: bool = False
    sensitive: bool = False
    withheld_in: tuple[str, ...] = ()
    known_to: tuple[str, ...] | None = None  # other instances that have it; None: all of them
    federated_after: timedelta = timedelta(0)  # when other instances get it, under a backdated id


@dataclass(frozen=True, slots=True)
class Reshare:
    """A retweet or a boost; `id` is the id of the reshare itself."""

    id: str
    by: str
    of: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Like:
    """A like or favourite."""

    by: str
    of: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the story holds and a monitor should (or, for a `false start`, should not) tell."""

    slug: str
    kind: Literal["viral", "crisis", "false_start"]
    begins: datetime
    ends: datetime
    title_en: str
    title_ja: str
    root: str | None = None


@dataclass(slots=True)
class World:
    """Everything that ever happens, in one story; order within the lists does not matter.

    Add to it at any time; after a change in place (an edit, a new author) raise `revision`, so that servers look again.
    """

    people: dict[str, Person] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    reshares: list[Reshare] = field(default_factory=list)
    likes: list[Like] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    begins: datetime = datetime(2026, 10, 5, tzinfo=UTC)
    ends: datetime = datetime(2026, 10, 19, tzinfo=UTC)
    emojis: tuple[str, ...] = ()
    revision: int = 0
