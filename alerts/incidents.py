"""Signals become incidents: one per thing that happens, updated in place, with its evidence, notes and deliveries.

The life of an incident: open → acknowledged (a person took it) → resolved (by a person, or once its signal has been
quiet for a while). A signal that comes back within the cool-down reopens it silently. An incident, its evidence, notes
and deliveries are committed in one transaction; applying the same signals again changes nothing that people see.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from alerts.errors import NotPossible, UnknownIncident
from alerts.facts import as_json, facts_of, merged
from alerts.mutes import muted_by
from alerts.queueing import channels_for, enqueue_politely, is_threaded, refresh, release
from alerts.rules import FORGOTTEN_AFTER, HABITS, JOY, LINK_WITHIN, graver, raised
from config.settings import Settings
from store.db import Store
from store.records import Signal, from_iso, iso

FIRST = {"negative_surge": 0, JOY: 1}  # what says how people feel opens before what joins it
ChangeKind = Literal["opened", "historic", "updated", "linked", "reopened", "resolved"]
KEPT_EVIDENCE = 20
BATCH = 50
"""Signals in one transaction: a storm must not keep others from writing."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an incident; `queued` deliveries wait in the outbox for it."""

    kind: ChangeKind
    incident_id: int
    rule: str
    topic: str | None
    subject: str
    queued: int = 0


def apply(store: Store, settings: Settings, signals: Sequence[Signal], now: datetime) -> list[Change]:
    """Turn what the detectors say at `now` into incidents and queued deliveries; returns what changed."""
    changes: list[Change] = []
    heard = {_key(signal) for signal in signals}
    ordered = sorted(signals, key=lambda s: (FIRST.get(s.rule, len(FIRST)), s.began_at))
    wanted = [signal for signal in ordered if signal.rule in settings.alerts.rules]
    for start in range(0, max(len(wanted), 1), BATCH):
        with store.write() as db:
            writer = _Writer(db, settings, now)
            for signal in wanted[start : start + BATCH]:
                writer.take(signal)
            if start + BATCH >= len(wanted):
                writer.lapse(heard)
        changes += writer.changes
    return changes


def _key(signal: Signal) -> tuple[str | None, str, str]:
    return signal.topic, signal.rule, signal.subject


def _why(signal: Signal) -> str:
    return f"{signal.severity}, score {signal.confidence:.2f}" if signal.confidence else signal.severity


class _Writer:
    """One transaction's work."""

    def __init__(self, db: sqlite3.Connection, settings: Settings, now: datetime) -> None:
        self.db = db
        self.settings = settings
        self.now = now
        self.changes: list[Change] = []

    # -------------------------------------------------------------- deciding
    def take(self, signal: Signal) -> None:
        live = self._live(signal.topic, signal.rule, signal.subject)
        if not signal.active:
            if live is not None:
                self._maybe_end(live)
            return
        if live is not None and live["historic"] and signal.raised and self._began_lately(signal):
            self._end(live, None, "a new beginning")
            live = None
        if live is not None:
            self._update(live, signal)
            return
        partner = self._partner(signal)
        if partner is not None:
            self._join(partner, signal)
            return
        ended = self._cooling(signal)
        if ended is None:
            self._open(signal)
        elif ended["by_person"] and not self._paused(ended):
            self.db.execute("UPDATE incidents SET last_active_at = ? WHERE id = ?", (iso(self.now), ended["id"]))
        else:
            self._reopen(ended, signal)

    def lapse(self, heard: set[tuple[str | None, str, str]]) -> None:
        """End what no detector speaks of any more."""
        for row in self.db.execute("SELECT * FROM incidents WHERE state <> 'resolved'").fetchall():
            if (row["topic"], row["rule"], row["subject"]) in heard:
                continue
            habits = HABITS.get(row["rule"])
            wait = habits.quiet if habits and habits.lapses else FORGOTTEN_AFTER
            if self.now - from_iso(row["last_active_at"]) >= wait:
                self._end(row, None, "no signal any more")

    def _is_old(self, signal: Signal) -> bool:
        """Did it begin, and is its newest evidence, longer ago than people should be alerted about?"""
        if signal.rule == "silent_source":
            return False
        limit = self.now - self.settings.max_age
        newest = signal.evidence_at or self._newest(signal) or signal.began_at
        return not self._began_lately(signal) and newest < limit

    def _began_lately(self, signal: Signal) -> bool:
        return signal.began_at >= self.now - self.settings.max_age

    def _paused(self, row: dict[str, Any]) -> bool:
        """Was it quiet for long enough to count as over, whoever had ended it?"""
        return self.now - from_iso(row["last_active_at"]) >= HABITS[row["rule"]].quiet

    def _newest(self, signal: Signal) -> datetime | None:
        ids = [post_id for post_id, _ in signal.evidence]
        if not ids:
            return None
        marks = ",".join("?" * len(ids))
        newest = self.db.execute(f"SELECT MAX(created_at) FROM posts WHERE id IN ({marks})", ids).fetchone()[0]
        return None if newest is None else from_iso(newest)

    def _live(self, topic: str | None, rule: str, subject: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute(
            "SELECT * FROM incidents WHERE COALESCE(topic, '') = ? AND rule = ? AND subject = ? "
            "AND state <> 'resolved'",
            (topic or "", rule, subject),
        ).fetchone()
        return row

    def _partner(self, signal: Signal) -> sqlite3.Row | None:
        """The live incident that tells of the same event: a partner rule on its topic, both upwards, unmuted."""
        if signal.topic is None or signal.facts.get("direction", "up") != "up":
            return None
        found = (self._together(signal.topic, rule, signal) for rule in HABITS[signal.rule].partners)
        return next((row for row in found if row is not None), None)

    def _together(self, topic: str, rule: str, signal: Signal) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute(
            "SELECT * FROM incidents WHERE topic = ? AND rule = ? AND state <> 'resolved' AND historic = 0 "
            "AND json_extract(facts, '$.direction') IS NOT 'down' AND json_extract(facts, '$.muted') IS NOT 1",
            (topic, rule),
        ).fetchone()
        if row is None:
            return None
        joined = signal.rule in (json.loads(row["facts"]).get("linked") or {})
        return row if joined or self.now - from_iso(row["opened_at"]) <= LINK_WITHIN else None

    def _cooling(self, signal: Signal) -> dict[str, Any] | None:
        """The newest ended incident of the same (or a joined) subject that is still within its cool-down."""
        row = self.db.execute(
            "SELECT i.*, (SELECT n.by FROM incident_notes n WHERE n.incident_id = i.id AND n.kind = 'resolved' "
            "ORDER BY n.id DESC LIMIT 1) AS ended_by FROM incidents i WHERE i.topic IS ? AND i.state = 'resolved' "
            "AND i.historic = 0 AND ((i.rule = ? AND i.subject = ?) "
            "OR (i.subject = ? AND json_type(i.facts, '$.linked.' || ?) IS NOT NULL)) "
            "ORDER BY i.resolved_at DESC, i.id DESC LIMIT 1",
            (signal.topic, signal.rule, signal.subject, signal.subject, signal.rule),
        ).fetchone()
        if row is None:
            return None
        since = max(from_iso(row["resolved_at"]), from_iso(row["last_active_at"]))
        if self.now - since > timedelta(minutes=self.settings.alerts.cool_down_minutes):
            return None
        return {**dict(row), "by_person": row["ended_by"] is not None}

    # -------------------------------------------------------------- writing
    def _open(self, signal: Signal) -> None:
        historic = self._is_old(signal)
        muted = self._muted(signal)
        facts = facts_of(signal) | {"opened_severity": signal.severity}
        if muted is not None:
            facts["muted"] = True
        cursor = self.db.execute(
            "INSERT INTO incidents (topic, rule, subject, state, historic, severity, began_at, opened_at, updated_at, "
            "last_active_at, facts) VALUES (?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?)",
            (signal.topic, signal.rule, signal.subject, int(historic), signal.severity, iso(signal.began_at))
            + (iso(self.now),) * 3
            + (as_json(facts),),
        )
        incident_id = int(cursor.lastrowid or 0)
        self._evidence(incident_id, signal.evidence)
        why = "older than alerts.max_age at first sight: stored, not sent" if historic else muted
        self._note(incident_id, "opened", None, why or _why(signal))
        queued = 0 if historic or muted is not None else self._queue(incident_id)
        self._changed("historic" if historic else "opened", incident_id, signal, queued)

    def _update(self, row: sqlite3.Row, signal: Signal) -> None:
        facts = merged(json.loads(row["facts"]), facts_of(signal))
        severity = graver(row["severity"], signal.severity)
        self._save(row["id"], severity, facts)
        self._evidence(row["id"], signal.evidence)
        queued = 0
        if severity != row["severity"]:
            note = self._note(row["id"], "updated", None, f"severity {row['severity']} → {severity}")
            queued = self._tell_graver(row, facts, note)
        refresh(self.db, row["id"], self.now)
        self._changed("updated", row["id"], signal, queued)

    def _join(self, row: sqlite3.Row, signal: Signal) -> None:
        """The partner's signal becomes a fact of the incident that is there, which grows graver by one step, unless
        it is a joy."""
        facts = json.loads(row["facts"])
        linked = dict(facts.get("linked") or {})
        first = signal.rule not in linked
        linked[signal.rule] = {k: v for k, v in facts_of(signal).items() if k != "series"}
        facts["linked"] = linked
        severity = graver(row["severity"], signal.severity)
        severity = raised(severity) if first and JOY not in (row["rule"], signal.rule) else severity
        self._save(row["id"], severity, facts)
        self._evidence(row["id"], signal.evidence)
        queued = 0
        if first:
            note = self._note(
                row["id"], "updated", None, f"{signal.rule} of the same topic joined; severity {severity}"
            )
            queued = self._tell_graver(row, facts, note)
        refresh(self.db, row["id"], self.now)
        self._changed("linked" if first else "updated", row["id"], signal, queued)

    def _reopen(self, row: dict[str, Any], signal: Signal) -> None:
        facts = json.loads(row["facts"])
        if row["rule"] == signal.rule:
            facts = merged(facts, facts_of(signal))
        else:
            facts["linked"][signal.rule] = {k: v for k, v in facts_of(signal).items() if k != "series"}
        self.db.execute("UPDATE incidents SET state = 'open', resolved_at = NULL WHERE id = ?", (row["id"],))
        self._save(row["id"], graver(row["severity"], signal.severity), facts)
        self._evidence(row["id"], signal.evidence)
        note = self._note(row["id"], "reopened", None, "came back within the cool-down: the same incident goes on")
        self._changed("reopened", row["id"], signal, self._follow_up(row["id"], note))

    def _maybe_end(self, row: sqlite3.Row) -> None:
        if self.now - from_iso(row["last_active_at"]) >= HABITS[row["rule"]].quiet:
            self._end(row, None, "back to normal")

    def _end(self, row: sqlite3.Row, by: str | None, note: str) -> None:
        note_id = resolve_row(self.db, row["id"], by, note, self.now)
        queued = 0
        if by is None and HABITS[row["rule"]].tell_end and not row["historic"]:
            queued = self._queue_end(row["id"], note_id)
        refresh(self.db, row["id"], self.now)
        self.changes.append(Change("resolved", row["id"], row["rule"], row["topic"], row["subject"], queued))

    def _save(self, incident_id: int, severity: str, facts: dict[str, Any]) -> None:
        self.db.execute(
            "UPDATE incidents SET severity = ?, facts = ?, updated_at = ?, last_active_at = ? WHERE id = ?",
            (severity, as_json(facts), iso(self.now), iso(self.now), incident_id),
        )

    def _evidence(self, incident_id: int, evidence: Iterable[tuple[str, float]]) -> None:
        rows = [("incident", str(incident_id), post_id, weight) for post_id, weight in evidence][:KEPT_EVIDENCE]
        self.db.executemany(
            "INSERT INTO evidence (subject_kind, subject_id, post_id, weight) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET weight = excluded.weight",
            rows,
        )

    def _note(self, incident_id: int, kind: str, by: str | None, note: str) -> int:
        return add_note(self.db, incident_id, kind, by, note, self.now)

    def _changed(self, kind: ChangeKind, incident_id: int, signal: Signal, queued: int = 0) -> None:
        self.changes.append(Change(kind, incident_id, signal.rule, signal.topic, signal.subject, queued))

    def _muted(self, signal: Signal) -> str | None:
        row = muted_by(self.db, signal.topic, signal.rule, self.now)
        return None if row is None else f"muted until {row['until']} by {row['by']}: recorded, not sent"

    # -------------------------------------------------------------- deliveries
    def _row(self, incident_id: int) -> sqlite3.Row:
        row: sqlite3.Row = self.db.execute("SELECT * FROM incidents WHERE id = ?", (incident_id,)).fetchone()
        return row

    def _queue(self, incident_id: int) -> int:
        """Tell everybody who wants to know and has not been told."""
        row = self._row(incident_id)
        channels = channels_for(self.settings, row["topic"], row["rule"], row["severity"])
        return sum(enqueue_politely(self.db, self.settings, row, c, "opened", self.now) for c in channels)

    def _tell_graver(self, row: sqlite3.Row, facts: dict[str, Any], note_id: int) -> int:
        """It grew graver: into the threads, to the channels that did not want to know before, and to everybody who
        was told when it has become critical."""
        if row["historic"] or facts.get("muted") or muted_by(self.db, row["topic"], row["rule"], self.now):
            return 0
        grown = self._row(row["id"])
        release(self.db, self.settings, grown, self.now)
        critical = grown["severity"] == "critical" != row["severity"]
        return self._follow_up(row["id"], note_id, everywhere=critical) + self._queue(row["id"])

    def _follow_up(self, incident_id: int, note_id: int, *, everywhere: bool = False) -> int:
        """A message under the first one, where it was told and where there are threads; `everywhere`: also without."""
        row = self._row(incident_id)
        if muted_by(self.db, row["topic"], row["rule"], self.now):
            return 0
        told = self._told(incident_id)
        channels = [c for c in self.settings.channels if c.name in told and (everywhere or is_threaded(c))]
        return sum(enqueue_politely(self.db, self.settings, row, c, "update", self.now, note_id) for c in channels)

    def _queue_end(self, incident_id: int, note_id: int) -> int:
        """Tell the end only where the beginning was told, message by message; again only where there are threads."""
        row = self._row(incident_id)
        if muted_by(self.db, row["topic"], row["rule"], self.now):
            return 0
        told = self._told(incident_id)
        channels = [c for c in self.settings.channels if c.name in told]
        return sum(
            enqueue_politely(self.db, self.settings, row, c, "resolved", self.now, note_id if is_threaded(c) else 0)
            for c in channels
        )

    def _told(self, incident_id: int) -> set[str]:
        rows = self.db.execute(
            "SELECT channel FROM deliveries WHERE incident_id = ? AND kind IN ('opened', 'escalation') "
            "AND state IN ('sent', 'maybe_sent')",
            (incident_id,),
        )
        return {row["channel"] for row in rows}


def add_note(db: sqlite3.Connection, incident_id: int, kind: str, by: str | None, note: str, now: datetime) -> int:
    """Add a dated line to what happened to an incident; returns its id."""
    cursor = db.execute(
        "INSERT INTO incident_notes (incident_id, at, kind, by, note) VALUES (?, ?, ?, ?, ?)",
        (incident_id, iso(now), kind, by, note),
    )
    return int(cursor.lastrowid or 0)


def resolve_row(db: sqlite3.Connection, incident_id: int, by: str | None, note: str, now: datetime) -> int:
    """Mark an incident as over; returns the id of the note."""
    db.execute(
        "UPDATE incidents SET state = 'resolved', resolved_at = ?, updated_at = ? WHERE id = ?",
        (iso(now), iso(now), incident_id),
    )
    return add_note(db, incident_id, "resolved", by, note, now)


def state_of(db: sqlite3.Connection, incident_id: int) -> sqlite3.Row:
    """The incident's row. Raises UnknownIncident."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM incidents WHERE id = ?", (incident_id,)).fetchone()
    if row is None:
        raise UnknownIncident(f"There is no incident {incident_id}. `resonance alerts list --all` shows all of them.")
    return row


__all__ = ["Change", "NotPossible", "add_note", "apply", "resolve_row", "state_of"]
