"""The daemon: APScheduler decides when, the stages decide what.

Each role has a thread of its own, one for each source among them, so that nothing waits for a network that hangs.
Scoring and graph work run in a child process that ends with its job and gives its memory back. SIGTERM and SIGINT let
what is running come to its end and stop; a second signal aborts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from alerts.buttons import Buttons
from collector.base import Source
from config import Settings
from resonance import cycle, memory
from resonance.answering import AnswerServer
from resonance.app import utc_now
from resonance.errors import explain
from resonance.health import Clock, HealthServer
from resonance.jobs import recorded, waiting_until
from resonance.pipeline.score import is_waiting
from resonance.systemd import READY, STOPPING, WATCHDOG, notify, watchdog_seconds
from store import Store
from store.records import iso

log = structlog.get_logger()
GRACE = 3600  # seconds that a job may be late; the default of one second would drop it
DRAIN = 9.0  # seconds until what is still running is left behind
ABORTED = 130


@dataclass(frozen=True, slots=True)
class Planned:
    """A job: how often it runs, in whose thread, and how long after the start for the first time."""

    name: str
    minutes: float
    role: str
    work: Callable[[datetime], object]
    first: float
    """Seconds."""


class Daemon:
    """Runs the jobs until it is told to stop."""

    def __init__(
        self, settings: Settings, store: Store, sources: list[Source], config: Path | None, clock: Clock = utc_now
    ) -> None:
        """`config` is handed to the child processes; `clock` tells every job the time."""
        self.settings, self.store, self.sources, self.config = settings, store, sources, config
        self.clock = clock
        self.stop = threading.Event()
        self.buttons = Buttons(store, settings, self.clock) if Buttons.wanted(settings) else None
        roles = ["work", "alert", "deliver", *(source.name for source in sources)]
        self.scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={role: ThreadPoolExecutor(1) for role in roles} | {"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": GRACE},
        )

    def run(self) -> int:
        """Block until a signal; returns the exit code. The caller holds the InstanceLock."""
        with self._health(), self._answers():
            self.listen()
            self._schedule()
            self.scheduler.start()
            log.info("started", pid=os.getpid(), database=str(self.store.path), sources=[s.name for s in self.sources])
            notify(READY)
            self.stop.wait()
            notify(STOPPING)
            self._drain()
        return 0

    def _health(self) -> AbstractContextManager[object]:
        port = self.settings.health.port
        return HealthServer(self.store, self.settings, self.clock, port) if port else nullcontext()

    def _answers(self) -> AbstractContextManager[object]:
        wanted = bool(self.settings.dashboard.base_url)
        return AnswerServer(self.store, self.settings, self.clock) if wanted else nullcontext()

    def listen(self) -> None:
        """Set `stop` at SIGTERM and SIGINT; a second one aborts. From here on memory is given back after each job."""
        memory.settle()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self.scheduler.add_listener(_log_event, EVENT_JOB_ERROR | EVENT_JOB_MISSED)

    def _on_signal(self, number: int, _frame: object) -> None:
        if self.stop.is_set():
            log.warning("aborted by a second signal")
            os._exit(ABORTED)
        log.info("stopping", signal=signal.Signals(number).name)
        self.stop.set()

    def jobs(self) -> list[Planned]:
        """Everything that runs, and how often."""
        every = self.settings.schedule
        found = []
        for source in self.sources:
            found.append(Planned(f"collect:{source.name}", every.collect, source.name, self._collect(source), 0))
            found.append(Planned(f"refresh:{source.name}", every.refresh, source.name, self._refresh(source), 20))
        found += [
            Planned("score", every.score, "work", self._child("score"), 10),
            Planned("analyse", every.analyse, "work", self._child("analyse"), 60),
            Planned("alert", every.alert, "alert", lambda now: cycle.alert_job(self.store, self.settings, now), 30),
            Planned("deliver", every.deliver, "deliver", self._deliver, 5),
            Planned("housekeeping", every.housekeeping, "work", self._housekeeping, 300),
        ]
        if cycle.wants_digest(self.settings):
            found.append(Planned("digest", every.digest, "alert", self._digest, 45))
        if self.buttons is not None:
            found.append(Planned("buttons", 1, "default", self._buttons, 5))
        return found

    def work_off(self, job: Planned, now: datetime) -> None:
        """Run a job, unless the daemon is about to end or the job waits for a rate limit."""
        if not self.stop.is_set() and waiting_until(self.store, job.name, now) is None:
            try:
                job.work(now)
            finally:
                memory.give_back(self.store)

    def _schedule(self) -> None:
        for job in self.jobs():
            # An interval job would first run after one interval.
            start = datetime.now(UTC) + timedelta(seconds=job.first)
            run = partial(self._run, job)
            self.scheduler.add_job(
                run, "interval", minutes=job.minutes, id=job.name, executor=job.role, next_run_time=start
            )
        if seconds := watchdog_seconds():  # said by the scheduler: when it hangs, systemd starts the service again
            self.scheduler.add_job(notify, "interval", seconds=seconds, args=[WATCHDOG], id="watchdog")

    def _run(self, job: Planned) -> None:
        self.work_off(job, self.clock())

    def _collect(self, source: Source) -> Callable[[datetime], object]:
        return lambda now: cycle.collect_job(self.store, self.settings, source, now, self.stop)

    def _refresh(self, source: Source) -> Callable[[datetime], object]:
        return lambda now: cycle.refresh_job(self.store, self.settings, source, now, self.stop)

    def _deliver(self, now: datetime) -> object:
        return cycle.deliver_job(self.store, self.settings, now, self.stop)

    def _digest(self, now: datetime) -> object:
        return cycle.digest_job(self.store, self.settings, now)

    def _buttons(self, now: datetime) -> object:
        assert self.buttons is not None
        return cycle.buttons_job(self.store, self.buttons, now)

    def _housekeeping(self, now: datetime) -> object:
        return cycle.housekeeping_job(self.store, self.settings, now)

    def _child(self, stage: str) -> Callable[[datetime], object]:
        """A stage in a process of its own; ended when the daemon stops, it goes on where it was next time."""

        def work(now: datetime) -> None:
            if stage == "score" and not is_waiting(self.store):
                return
            arguments = [sys.executable, "-m", "resonance.worker", stage, iso(now)]
            if self.config:
                arguments.append(str(self.config))
            process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=sys.stderr)
            while process.poll() is None:
                if self.stop.wait(0.2):
                    _end(process)
            if process.returncode not in (0, -signal.SIGTERM):
                with recorded(self.store, stage, now) as job:
                    job.error = f"its process ended with code {process.returncode}; the log may say why."
                    job.exit_code = 1

        return work

    def _drain(self) -> None:
        """Let running jobs end; they look at the stop event between two pages and two deliveries."""
        self.scheduler.remove_all_jobs()
        if self.buttons is not None:
            threading.Thread(target=self.buttons.close, daemon=True).start()
        ended = threading.Thread(target=self.scheduler.shutdown, kwargs={"wait": True}, daemon=True)
        ended.start()
        ended.join(DRAIN)
        log.info("stopped", drained=not ended.is_alive())
        if ended.is_alive():
            os._exit(0)  # a worker hangs in a network call; its page was never stored, so nothing is lost


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a child to end, and make it."""
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _log_event(event: JobExecutionEvent) -> None:
    if event.code == EVENT_JOB_MISSED:
        log.warning("job missed its time", job=event.job_id)
    else:
        told = explain(event.exception) if event.exception else None
        log.error(
            "job raised",
            job=event.job_id,
            error=told.text if told else type(event.exception).__name__,
            exc_info=None if told else event.exception,
        )
