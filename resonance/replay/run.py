"""The replay: steps through time, and lets the rules of the daemon decide on a scratch file for each sensitivity."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.incidents import Change, apply
from config import Settings, Topic
from resonance.pipeline.detect import is_part_of
from resonance.pipeline.detectors import communities
from resonance.pipeline.detectors.people import newest_run, risen, untold
from resonance.pipeline.detectors.trend import EMOTION, rules_on
from resonance.replay.known import FELT
from resonance.replay.spread import SpreadReplay
from resonance.replay.trends import TrendReplay
from store import Store
from store.records import Rule, Signal, from_iso
from store.topic_hours import BIN, floor_hour

SENSITIVITIES = ("low", "balanced", "high")
STEP = BIN
LEAD = timedelta(days=1)  # what was going on when the period began is not raised in it
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Raised:
    """An incident that a sensitivity would have raised; `joined` are rules that told of the same event later."""

    sensitivity: str
    topic: str | None
    rule: Rule
    subject: str
    raised_at: datetime
    began_at: datetime
    observed: float
    expected: float | None
    confidence: float
    severity: str
    forecast: float | None
    account: str | None
    direction: str
    ended_at: datetime | None = None
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found, and what is to be known about it."""

    since: datetime
    until: datetime
    raised: list[Raised]
    notes: list[str] = field(default_factory=list)

    def of(self, sensitivity: str) -> list[Raised]:
        """The incidents of one sensitivity in the order in which they were raised."""
        return [r for r in self.raised if r.sensitivity == sensitivity]

    def weeks(self, sensitivity: str) -> list[tuple[datetime, int]]:
        """How many were raised in each seven days from `since` on; the last week may be short."""
        found, start = [], self.since
        while start < self.until:
            end = start + timedelta(days=7)
            found.append((start, sum(start <= r.raised_at < end for r in self.of(sensitivity))))
            start = end
        return found


class _Topic:
    """Everything that a topic's detectors would have said."""

    def __init__(self, store: Store, settings: Settings, topic: Topic, since: datetime, until: datetime) -> None:
        self.store, self.topic = store, topic
        emotions = settings.alerts.emotions if EMOTION in settings.alerts.rules else ()
        self.trends = TrendReplay(store, topic, since, until, rules_on(settings), emotions)
        self.spread = SpreadReplay(store, settings, topic, since, until)
        self.risen: dict[int, list[Signal]] = {}
        self.rules = [rule for rule in communities.RULES if rule in settings.alerts.rules]
        self.changed: tuple[datetime | None, list[Signal]] = (None, [])

    def at(self, moment: datetime, scratch: dict[str, Store]) -> dict[str, list[Signal]]:
        """The signals of a moment by sensitivity; `scratch` knows what was raised before."""
        trends = self.trends.at(moment, list(scratch))
        spreading, rising = self.spread.at(moment), self._rising(moment)
        found = {}
        for name, incidents in scratch.items():
            viral = self.spread.untold(incidents, spreading, moment)
            found[name] = [*trends[name], *(s for s in viral if not is_part_of(s, list(trends[name]), incidents))]
            found[name] += untold(incidents, self.topic, rising) if rising else []
            found[name] += self._communities(moment)
        return found

    def _communities(self, moment: datetime) -> list[Signal]:
        """Judged once an hour; the sensitivity plays no part."""
        hour = floor_hour(moment)
        if self.rules and self.changed[0] != hour:
            self.changed = hour, communities.changed(self.store, self.topic, moment, self.rules)
        return self.changed[1]

    def _rising(self, moment: datetime) -> list[Signal]:
        run = newest_run(self.store, self.topic, moment)
        if run is None:
            return []
        if run not in self.risen:
            self.risen[run] = risen(self.store, self.topic, run)
        return self.risen[run]


def replay(
    store: Store,
    settings: Settings,
    topics: Sequence[Topic],
    since: datetime,
    until: datetime,
    step: timedelta = STEP,
    progress: Progress | None = None,
) -> Replayed:
    """Which incidents each sensitivity would have raised from `since` until `until`; the store is only read.

    Steps fall as long after the quarter hours as a post usually took to be seen: that is when the daemon knew.
    """
    begin = since - LEAD
    watched = [_Topic(store, settings, topic, begin, until) for topic in topics]
    late = max((w.trends.history.delay for w in watched), default=0)
    moment = _floor(begin) + timedelta(seconds=late if late < BIN.total_seconds() else 0)
    quiet = settings.model_copy(update={"channels": ()})
    raised: dict[tuple[str, int], Raised] = {}
    with _scratch() as scratch:
        live = dict.fromkeys(scratch, False)
        while moment <= until:
            said = [topic.at(moment, scratch) for topic in watched]
            for name, incidents in scratch.items():
                signals = [signal for by in said for signal in by[name]]
                if live[name] or any(signal.active for signal in signals):
                    changes = apply(incidents, quiet, signals, moment)
                    _note(raised, name, changes, signals, moment)
                    live[name] = incidents.one("SELECT 1 FROM incidents WHERE state <> 'resolved'") is not None
            moment += step
            if progress:
                progress(1)
    kept = sorted((r for r in raised.values() if since <= r.raised_at), key=lambda r: (r.raised_at, r.rule, r.subject))
    return Replayed(since, until, kept, _notes(store, watched, begin))


def _floor(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // BIN.total_seconds() * BIN.total_seconds(), UTC)


@contextmanager
def _scratch() -> Iterator[dict[str, Store]]:
    """A file for the incidents of each sensitivity, gone afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="resonance-replay-")))
        stores = {name: Store.open(folder / f"{name}.sqlite") for name in SENSITIVITIES}
        for opened in stores.values():
            stack.callback(opened.close)
        yield stores


def _note(
    raised: dict[tuple[str, int], Raised],
    name: str,
    changes: Sequence[Change],
    signals: Sequence[Signal],
    moment: datetime,
) -> None:
    """Write down what was opened, joined and ended."""
    said: dict[tuple[str, str | None, str], Signal] = {(s.rule, s.topic, s.subject): s for s in signals}
    for change in changes:
        key = (name, change.incident_id)
        if change.kind == "opened":
            raised[key] = _raised(name, said[(change.rule, change.topic, change.subject)], moment)
        elif key in raised and change.kind == "linked":
            raised[key] = replace(raised[key], joined=(*raised[key].joined, change.rule))
        elif key in raised and change.kind in ("resolved", "reopened"):
            raised[key] = replace(raised[key], ended_at=moment if change.kind == "resolved" else None)


def _raised(name: str, s: Signal, moment: datetime) -> Raised:
    facts = s.facts
    return Raised(
        sensitivity=name,
        topic=s.topic,
        rule=s.rule,
        subject=s.subject,
        raised_at=moment,
        began_at=s.began_at,
        observed=s.observed,
        expected=s.expected,
        confidence=s.confidence,
        severity=s.severity,
        forecast=facts.get("forecast"),
        account=facts.get("account"),
        direction=facts.get("direction", "up"),
    )


def _notes(store: Store, watched: Sequence[_Topic], begin: datetime) -> list[str]:
    notes = []
    for topic in watched:
        history, slug = topic.trends.history, topic.topic.slug
        if history.imported:
            notes.append(
                f"{slug}: {history.imported} of {history.posts} posts came from an archive; "
                "their created_at stands in for the time when they were seen."
            )
        if history.posts and not history.events[:, 4].any():
            notes.append(f"{slug}: nothing has been scored, so that no surge of a share could be found.")
        if history.emotions and not history.events[:, FELT:].any():
            notes.append(f"{slug}: the model said nothing of emotions, so that no rise of one could be found.")
        if not history.networks:
            notes.append(f"{slug}: it is not known what was read and when, so that no trend could be judged.")
        factors = {rule: f for rule, f in topic.trends.strict.items() if f != 1}
        notes += [f"{slug}: the bound of {rule} is multiplied by {f:g}, as now." for rule, f in factors.items()]
        first = store.one("SELECT MIN(finished_at) FROM runs WHERE topic = ? AND state = 'done'", (slug,))
        if first is None or from_iso(first) > begin:
            since = "there is none" if first is None else f"the first is of {first}"
            notes.append(f"{slug}: rising users need the analyses of those days; {since}.")
    notes.append("Silent sources are left out: the store keeps what was read, not when nothing came.")
    return notes
