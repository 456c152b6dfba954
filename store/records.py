"""The record types that the rooms hand to each other. Times are aware datetimes in UTC; ids as in docs/schema.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

InteractionKind = Literal["reshare", "quote", "reply", "mention"]


def iso(moment: datetime) -> str:
    """`2026-11-22T09:30:00Z`: UTC, whole seconds; the only way times are written into the store."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def from_iso(text: str) -> datetime:
    """The moment that `iso` wrote."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who posts. `id` is `x:<id>` or `acct:user@host`; None stands for what the network did not say."""

    id: str
    network: str
    handle: str | None = None
    name: str | None = None
    followers: int | None = None
    following: int | None = None
    posts: int | None = None
    created_at: datetime | None = None
    url: str | None = None
    bot: bool = False
    protected: bool = False
    opted_out: str | None = None
    """Why the account must not be kept (`nobot`, `noindex`, `protected`, ...), or None."""


@dataclass(frozen=True, slots=True)
class Post:
    """A public post. `id` is `x:<id of its first version>` or the ActivityPub uri.

    `reference` marks what only came along with another post (included objects): it is kept for the graph, but is never
    matched to topics by itself and moves no cursor. `text` is plain text, already cleaned; `native_id` is the id at
    `source`, the API that showed it (`x`, or an instance's host).
    """

    id: str
    network: str
    author_id: str | None
    text: str
    created_at: datetime
    source: str
    native_id: str
    lang: str | None = None
    url: str | None = None
    reply_to_id: str | None = None
    quote_of_id: str | None = None
    conversation_id: str | None = None
    spoiler: str = ""
    sensitive: bool = False
    hashtags: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    edited_at: datetime | None = None
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Interaction:
    """Somebody reacted: (kind, source, target post or account, via post).

    `via_post_id` is the quoting, replying or mentioning post; empty for a reshare, of which an account makes one per
    post. The time is an interval: equal ends when known, both None when the network gives none.
    """

    kind: InteractionKind
    source_id: str
    target_post_id: str | None
    target_id: str | None
    via_post_id: str = ""
    time_low: datetime | None = None
    time_high: datetime | None = None

    def __post_init__(self) -> None:
        """An interaction needs something that it is directed at."""
        if not (self.target_post_id or self.target_id):
            raise ValueError("an interaction needs a target post or a target account")


@dataclass(frozen=True, slots=True)
class Metrics:
    """The counts of a post as one observer saw them; None: not told."""

    post_id: str
    observed_at: datetime
    observer: str
    likes: int | None = None
    reshares: int | None = None
    replies: int | None = None
    quotes: int | None = None
    views: int | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """A confirmed removal: the network said that the post (or account) is gone or no longer public."""

    subject_id: str
    kind: Literal["post", "account"]
    reason: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a stream of a source goes on; `cursor` is the collector's own (JSON)."""

    source: str
    stream: str
    cursor: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gap:
    """A period that is known to be missing."""

    source: str
    topic: str | None
    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Observed:
    """A period of which everything that the network shows for a topic has been read."""

    topic: str
    network: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Spend:
    """What a request cost."""

    network: str
    requests: int = 0
    posts: int = 0
    accounts: int = 0
    usd: float = 0.0


@dataclass(slots=True)
class Page:
    """What one answer of a network brought; it is stored whole, with its checkpoint, in one transaction."""

    posts: list[Post] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    interactions: list[Interaction] = field(default_factory=list)
    metrics: list[Metrics] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    observed: list[Observed] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    """Post ids whose refresh requests this page answers."""
    spend: Spend | None = None
    checkpoint: Checkpoint | None = None


Rule = Literal[
    "volume_spike",
    "negative_surge",
    "viral_cascade",
    "rising_user",
    "silent_source",
    "community_quiet",
    "community_sour",
    "emotion_surge",
    "positive_surge",
]
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Signal:
    """What a detector says about one subject at one moment; rules turn signals into incidents.

    `series` is what its chart shows: rows of (time, observed, expected, low, high), None where unknown.
    `facts` holds what else the rule measured, JSON values only, named as in docs/alerts.md.
    """

    rule: Rule
    topic: str | None
    subject: str
    active: bool
    raised: bool
    """True only when the detector opens or reopens; `active` while it lasts."""
    began_at: datetime
    observed: float
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.0
    """0..1: of a cascade its chance of the top 5%; of a trend how far beyond the usual, 0.5 where its alert begins: no
    frequency of being right, and told in words; 0: not said."""
    severity: Severity = "warning"
    evidence: tuple[tuple[str, float], ...] = ()
    """Post ids with their weights, the most telling first."""
    series: tuple[tuple[str, float | None, float | None, float | None, float | None], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    evidence_at: datetime | None = None
    """When the newest thing that it rests on happened; None: at `began_at`."""
