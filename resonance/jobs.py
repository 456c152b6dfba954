"""What each job did last: kept in the table `jobs`, read by `resonance status`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog

from resonance.errors import explain
from store import Store, StoreError
from store.records import iso

log = structlog.get_logger()
BUDGET = "the next day or billing cycle of its budget"  # what a job waits for that has spent its money


@dataclass(slots=True)
class Job:
    """One run of a job; set `result` to what it did, in words."""

    name: str
    result: str = ""
    waits_for: str | None = None
    waits_until: datetime | None = None
    error: str | None = None
    exit_code: int = 0


@contextmanager
def recorded(store: Store, name: str, now: datetime) -> Iterator[Job]:
    """Run a job and record how it went; an expected error is recorded and goes no further, a bug is raised again."""
    job = Job(name)
    with store.write() as connection:
        connection.execute(
            "INSERT INTO jobs (name, started_at) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET started_at = excluded.started_at",
            (name, iso(now)),
        )
    try:
        yield job
    except StoreError:
        raise
    except Exception as error:
        told = explain(error)
        job.error = told.text if told else f"{type(error).__name__}: a bug; the log has its traceback."
        job.exit_code = told.exit_code if told else 1
        until = getattr(error, "until", None)
        if isinstance(until, datetime):
            job.waits_for, job.waits_until = job.error, until
        if told is None:
            log.exception("job failed", job=name)
            _record(store, job, now)
            raise
        log.warning("job failed", job=name, error=job.error)
    _record(store, job, now)


def _record(store: Store, job: Job, now: datetime) -> None:
    until = iso(job.waits_until) if job.waits_until else None
    with store.write() as connection:
        connection.execute(
            "UPDATE jobs SET finished_at = ?, result = ?, error = ?, waits_for = ?, waits_until = ?, "
            "succeeded_at = CASE WHEN ? IS NULL THEN ? ELSE succeeded_at END, "
            "failures = CASE WHEN ? IS NULL THEN 0 ELSE failures + 1 END WHERE name = ?",
            (*(iso(now), job.result, job.error, job.waits_for, until, job.error, iso(now), job.error, job.name),),
        )


def waiting_until(store: Store, name: str, now: datetime) -> datetime | None:
    """The moment that a job waits for (such as a rate limit), if it is still to come.

    None for a spent budget: asking the source again costs nothing, brings what is free, and sees a raised budget.
    """
    until = store.one(
        "SELECT waits_until FROM jobs WHERE name = ? AND waits_until > ? AND waits_for IS NOT ?",
        (name, iso(now), BUDGET),
    )
    return datetime.fromisoformat(until) if until else None
