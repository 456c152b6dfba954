"""An incident as the store holds it now, with its evidence: what messages and commands are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerts.errors import UnknownIncident
from store.db import Store
from store.records import from_iso


@dataclass(frozen=True, slots=True)
class Evidence:
    """A post behind an incident; `text` is empty once the post was removed."""

    post_id: str
    weight: float
    text: str
    author: str | None
    url: str | None
    created_at: datetime | None
    label: str | None = None
    reshares: int | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing worth telling."""

    id: int
    topic: str | None
    rule: str
    subject: str
    state: str
    historic: bool
    severity: str
    began_at: datetime
    opened_at: datetime
    updated_at: datetime
    last_active_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    facts: dict[str, Any]
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[dict[str, Any], ...] = ()
    deliveries: tuple[dict[str, Any], ...] = ()
    related: tuple[tuple[int, str], ...] = field(default=())
    """(id, rule) of other incidents of the same topic that are going on."""
    handle: str | None = None
    """Of the account that it is about, as people know it."""


def incident(store: Store, incident_id: int, *, evidence: int = 5) -> Incident:
    """The incident with its `evidence` weightiest posts. Raises UnknownIncident."""
    rows = store.query("SELECT * FROM incidents WHERE id = ?", (incident_id,))
    if not rows:
        raise UnknownIncident(f"There is no incident {incident_id}. `resonance alerts list --all` shows all of them.")
    row = rows[0]
    return Incident(
        id=row["id"],
        topic=row["topic"],
        rule=row["rule"],
        subject=row["subject"],
        state=row["state"],
        historic=bool(row["historic"]),
        severity=row["severity"],
        began_at=from_iso(row["began_at"]),
        opened_at=from_iso(row["opened_at"]),
        updated_at=from_iso(row["updated_at"]),
        last_active_at=from_iso(row["last_active_at"]),
        resolved_at=_moment(row["resolved_at"]),
        acknowledged_at=_moment(row["acknowledged_at"]),
        acknowledged_by=row["acknowledged_by"],
        facts=json.loads(row["facts"]),
        evidence=_evidence(store, incident_id, evidence),
        notes=_dicts(
            store, "SELECT id, at, kind, by, note FROM incident_notes WHERE incident_id = ? ORDER BY id", row["id"]
        ),
        deliveries=_dicts(
            store,
            "SELECT id, channel, kind, state, attempts, created_at, sent_at, error, rolled_into FROM deliveries "
            "WHERE incident_id = ? ORDER BY id",
            row["id"],
        ),
        related=_related(store, row),
        handle=_handle(store, row),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else from_iso(text)


def _dicts(store: Store, sql: str, incident_id: int) -> tuple[dict[str, Any], ...]:
    return tuple(dict(row) for row in store.query(sql, (incident_id,)))


def _evidence(store: Store, incident_id: int, limit: int) -> tuple[Evidence, ...]:
    rows = store.query(
        "SELECT e.post_id, e.weight, v.text, v.author, v.url, v.created_at, v.label, v.reshares "
        "FROM evidence e LEFT JOIN v_posts v ON v.id = e.post_id "
        "WHERE e.subject_kind = 'incident' AND e.subject_id = ? "
        "ORDER BY v.id IS NULL, e.weight DESC, e.post_id LIMIT ?",
        (str(incident_id), limit),
    )
    return tuple(map(_post, rows))


def evidence_of(store: Store, post_ids: Sequence[str]) -> tuple[Evidence, ...]:
    """These posts, in this order; those that were removed are left out."""
    marks = ",".join("?" * len(post_ids))
    rows = store.query(
        "SELECT id AS post_id, 1.0 AS weight, text, author, url, created_at, label, reshares FROM v_posts "
        f"WHERE id IN ({marks})",
        list(post_ids),
    )
    return tuple(sorted(map(_post, rows), key=lambda e: post_ids.index(e.post_id)))


def _post(row: Any) -> Evidence:
    return Evidence(
        post_id=row["post_id"],
        weight=row["weight"],
        text=row["text"] or "",
        author=row["author"],
        url=row["url"],
        created_at=_moment(row["created_at"]),
        label=row["label"],
        reshares=row["reshares"],
    )


def _related(store: Store, row: Any) -> tuple[tuple[int, str], ...]:
    rows = store.query(
        "SELECT id, rule FROM incidents WHERE topic IS ? AND id <> ? AND state <> 'resolved' AND historic = 0 "
        "AND opened_at <= ? ORDER BY id DESC LIMIT 3",
        (row["topic"], row["id"], row["updated_at"]),
    )
    return tuple((r["id"], r["rule"]) for r in rows)


def _handle(store: Store, row: Any) -> str | None:
    """The handle of the account that a rising_user is about; its id without the prefix when the handle is unknown."""
    if row["rule"] != "rising_user":
        return None
    known: str | None = store.one("SELECT handle FROM accounts WHERE id = ?", (row["subject"],))
    return known or row["subject"].removeprefix("acct:")
