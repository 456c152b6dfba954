"""The stages in their order, each with its health: what `run --once` does, and what the daemon's jobs are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from alerts.buttons import Buttons
from alerts.digest import queue_digests
from alerts.outbox import deliver
from alerts.thresholds import fade
from analysis.sentiment.scorer import load
from collector.base import Source
from collector.errors import BudgetSpent, CollectorError, Deferred, RateLimited, UsageCapped
from config import Settings
from resonance.jobs import BUDGET, Job, recorded
from resonance.pipeline.collect import Collected, collect
from resonance.pipeline.detect import raise_alerts
from resonance.pipeline.graph import analyse_graph
from resonance.pipeline.hours import update_hours
from resonance.pipeline.housekeeping import keep_house
from resonance.pipeline.refresh import enrol, refresh
from resonance.pipeline.score import current_model, is_waiting, key_of, score_posts
from resonance.pipeline.share import share_of
from resonance.pipeline.spread import follow_cascades
from store import Store
from store.db import LOG_BYTES

Progress = Callable[[int], None]
WAITS: dict[type[Deferred], str] = {
    BudgetSpent: BUDGET,
    UsageCapped: "the next billing cycle",
    RateLimited: "the reset of a rate limit",
    Deferred: "the network",
}


def collect_job(store: Store, settings: Settings, source: Source, now: datetime, stop: Event | None = None) -> Job:
    """Ask one source for what is new."""
    with recorded(store, f"collect:{source.name}", now) as job:
        _tell(job, collect(store, settings, source, now, stop))
    return job


def refresh_job(store: Store, settings: Settings, source: Source, now: datetime, stop: Event | None = None) -> Job:
    """Ask one source again about what is moving."""
    with recorded(store, f"refresh:{source.name}", now) as job:
        enrol(store, settings, now)
        _tell(job, refresh(store, settings, source, now, stop))
    return job


def _tell(job: Job, done: Collected) -> None:
    """What came goes into the result, what failed becomes the job's error; a wait is shown as one."""
    job.result = done.told()
    if not done.errors:
        return
    job.error = " ".join(dict.fromkeys(str(error) for error in done.errors))
    waits = [error.until for error in done.errors if isinstance(error, Deferred)]
    if waits:
        job.waits_for = WAITS[next(type(error) for error in done.errors if isinstance(error, Deferred))]
        job.waits_until = max(waits)
    job.exit_code = _gravest(done.errors)


def _gravest(errors: Sequence[CollectorError]) -> int:
    codes = {error.exit_code for error in errors}
    return 77 if codes == {77} else 1


def score_job(store: Store, settings: Settings, now: datetime, progress: Progress | None = None) -> Job:
    """Score what is new; the model is loaded only when something waits."""
    with recorded(store, "score", now) as job:
        if not is_waiting(store):
            job.result = "nothing new to score"
            return job
        scorer = load(settings.model.name, threads=settings.model.threads or None)
        count = score_posts(store, scorer, now, progress)
        update_hours(store, settings, key_of(scorer), share_of(settings), now)
        job.result = f"{count} posts scored"
    return job


def hours_job(store: Store, settings: Settings, now: datetime) -> Job:
    """Bring the hours up to date, with the model that scored last."""
    with recorded(store, "hours", now) as job:
        model = current_model(store)
        if model is None:
            job.result = "nothing has been scored yet"
        else:
            job.result = f"{update_hours(store, settings, model, share_of(settings), now)} hours written"
    return job


def analyse_job(store: Store, settings: Settings, now: datetime) -> Job:
    """Communities and resonance of every topic."""
    with recorded(store, "analyse", now) as job:
        runs = analyse_graph(store, settings, now)
        job.result = f"{len(runs)} of {len(settings.topics)} topics analysed" + (
            "" if len(runs) == len(settings.topics) else "; the others have too few reactions yet"
        )
    return job


def alert_job(store: Store, settings: Settings, now: datetime) -> Job:
    """Hours, cascades, detectors, rules."""
    hours_job(store, settings, now)
    with recorded(store, "alert", now) as job:
        cascades = follow_cascades(store, settings, now)
        fade(store, now)
        changes = raise_alerts(store, settings, now)
        opened = sum(change.kind == "opened" for change in changes)
        job.result = f"{cascades} cascades followed, {opened} incidents opened, {len(changes) - opened} other changes"
    return job


def wants_digest(settings: Settings) -> bool:
    """Does any channel ask for a digest?"""
    return any(channel.digest != "off" for channel in settings.channels)


def digest_job(store: Store, settings: Settings, now: datetime) -> Job:
    """Queue the daily and weekly digests whose time has come."""
    with recorded(store, "digest", now) as job:
        job.result = f"{queue_digests(store, settings, now)} digests queued"
    return job


def buttons_job(store: Store, buttons: Buttons, now: datetime) -> Job:
    """Keep listening for the buttons under Slack messages."""
    with recorded(store, "buttons", now) as job:
        wrong = buttons.keep()
        job.result = "not everything is connected" if wrong else "listening"
        if wrong:
            job.error, job.exit_code = " ".join(wrong), 1
    return job


def deliver_job(store: Store, settings: Settings, now: datetime, stop: Event | None = None) -> Job:
    """Send what is queued."""
    with recorded(store, "deliver", now) as job:
        done = deliver(store, settings, now, stop=stop)
        job.result = f"{done.sent} sent, {done.waiting} waiting"
        told = []
        if done.failed or done.maybe_sent:
            told.append(
                f"{done.failed} deliveries failed, {done.maybe_sent} may have arrived. "
                "`resonance alerts list --maybe-sent` names them, `resonance alerts resend ID` sends again."
            )
        if put_off := _put_off(store):
            told.append(f"{put_off} They are tried again; `resonance check` says what is wrong with a channel.")
        if told:
            job.error, job.exit_code = " ".join(told), 1
    return job


def _put_off(store: Store) -> str:
    """The channels that could not be reached, each with what it said last."""
    rows = store.query(
        "SELECT channel, COUNT(*), MAX(error) FROM deliveries WHERE state = 'queued' AND attempts > 0 "
        "AND error IS NOT NULL GROUP BY channel ORDER BY channel"
    )
    return " ".join(f"{count} deliveries wait for {channel}: {error.rstrip('.')}." for channel, count, error in rows)


def housekeeping_job(store: Store, settings: Settings, now: datetime) -> Job:
    """Retention and thinning."""
    with recorded(store, "housekeeping", now) as job:
        kept = keep_house(store, settings, now)
        job.result = f"{kept.posts} posts past their retention, {kept.runs} old runs, {kept.changes} changes forgotten"
        if kept.log_bytes > LOG_BYTES:
            job.result += f"; a reader that does not end keeps {kept.log_bytes >> 20} MB of log"
    return job


@dataclass(slots=True)
class Cycle:
    """Every job of one cycle, in order."""

    jobs: list[Job] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when all went well, 77 when only authorisation failed, else 1."""
        failed = {job.exit_code or 1 for job in self.jobs if job.error}
        return 0 if not failed else 77 if failed == {77} else 1


def run_cycle(
    store: Store, settings: Settings, sources: Sequence[Source], now: datetime, stop: Event | None = None
) -> Cycle:
    """All stages once, one after the other."""
    cycle = Cycle()
    for source in sources:
        cycle.jobs.append(collect_job(store, settings, source, now, stop))
        cycle.jobs.append(refresh_job(store, settings, source, now, stop))
    for stage in (score_job, analyse_job, alert_job):
        if stop and stop.is_set():
            return cycle
        cycle.jobs.append(stage(store, settings, now))
    if wants_digest(settings):
        cycle.jobs.append(digest_job(store, settings, now))
    cycle.jobs.append(deliver_job(store, settings, now, stop))
    return cycle
