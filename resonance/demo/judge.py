"""What was raised against what the story holds: hits, misses and false alarms, whatever they are."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.world import Event, World
from store import Store
from store.records import from_iso

AFTERMATH = timedelta(hours=2)  # a false start told this late after its end is still told about it
ABOUT_TOPIC = frozenset(["volume_spike", "negative_surge"])


@dataclass(frozen=True, slots=True)
class Raised:
    """An incident that people were told of."""

    id: int
    rule: str
    subject: str
    at: datetime

    def concerns(self, event: Event, root: str | None) -> bool:
        """Whether it is about this event: its very post, or the topic while a crisis lasts."""
        if not event.begins <= self.at <= event.ends + AFTERMATH:
            return False
        if self.subject == root:
            return True
        return self.rule in ABOUT_TOPIC and event.kind != "viral"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One event of the story: when it was first told, and by which incidents."""

    event: Event
    raised: tuple[Raised, ...]

    @property
    def should_be_told(self) -> bool:
        """A false start should not."""
        return self.event.kind != "false_start"

    @property
    def right(self) -> bool:
        """Told when it should be, silent when not."""
        return bool(self.raised) == self.should_be_told

    @property
    def delay(self) -> timedelta | None:
        """From the event's first post to the first incident about it."""
        return self.raised[0].at - self.event.begins if self.raised else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """All events, and the incidents that are about none of them."""

    verdicts: list[Verdict]
    false_alarms: list[Raised] = field(default_factory=list)

    @property
    def hits(self) -> int:
        """Events that should be told and were."""
        return sum(v.should_be_told and v.right for v in self.verdicts)

    @property
    def misses(self) -> int:
        """Events that should be told and were not."""
        return sum(v.should_be_told and not v.right for v in self.verdicts)


def judge(store: Store, world: World) -> Judgement:
    """Compare the incidents that were told with the story's events."""
    told = [_raised(row) for row in store.query("SELECT * FROM incidents WHERE historic = 0 ORDER BY opened_at, id")]
    roots = {event.slug: _stored_id(store, world, event) for event in world.events}
    verdicts = [
        Verdict(event, tuple(r for r in told if r.concerns(event, roots[event.slug])))
        for event in sorted(world.events, key=lambda e: e.begins)
    ]
    known = {r.id for verdict in verdicts if verdict.should_be_told for r in verdict.raised}
    return Judgement(verdicts, [r for r in told if r.id not in known])


def _raised(row: sqlite3.Row) -> Raised:
    return Raised(row["id"], row["rule"], row["subject"], from_iso(row["opened_at"]))


def _stored_id(store: Store, world: World, event: Event) -> str | None:
    """The id in the store of the event's first post."""
    if event.root is None:
        return None
    found: str | None = store.one("SELECT post_id FROM post_sources WHERE native_id = ?", (event.root,))
    return found or (f"x:{event.root}" if world.posts[event.root].network == "x" else None)
