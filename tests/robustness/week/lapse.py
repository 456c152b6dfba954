"""The daemon, with another hand on its clock: `python -m tests.robustness.week.lapse CONFIG [--inside]`.

The jobs, their intervals, threads and child processes are the daemon's; only APScheduler is left out. When something is
due by the simulated clock, that moment is written to standard output, and a line on standard input lets all that is
due begin, each job in its role's thread; the next moment comes when they have ended. The first line of input says when
it begins. With `--inside` scoring and graph work run without a child process, which costs seconds to start.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from collector.sources import sources
from resonance.app import log_to_stderr, open_store, settings_from
from resonance.daemon import Daemon, Planned
from resonance.lock import InstanceLock
from resonance.spent import spent_in
from resonance.worker import STAGES
from store.topics import sync_topics

log = structlog.get_logger()


class Lapse:
    """Steps through the moments at which jobs are due."""

    def __init__(self, daemon: Daemon, begins: datetime) -> None:
        self.daemon = daemon
        self.jobs = daemon.jobs()
        self.due = [(begins + timedelta(seconds=job.first), number) for number, job in enumerate(self.jobs)]
        heapq.heapify(self.due)

    def run(self) -> None:
        with ExitStack() as stack:
            roles = sorted({job.role for job in self.jobs})
            threads = {role: stack.enter_context(ThreadPoolExecutor(1, role)) for role in roles}
            while not self.daemon.stop.is_set():
                now, jobs = self._next()
                print(now.isoformat(), flush=True)
                if not sys.stdin.readline():
                    return
                wait([threads[job.role].submit(self._work, job, now) for job in jobs])

    def _next(self) -> tuple[datetime, list[Planned]]:
        now, jobs = self.due[0][0], []
        while self.due[0][0] == now:
            _, number = heapq.heappop(self.due)
            jobs.append(self.jobs[number])
            heapq.heappush(self.due, (now + timedelta(minutes=self.jobs[number].minutes), number))
        return now, jobs

    def _work(self, job: Planned, now: datetime) -> None:
        try:
            self.daemon.work_off(job, now)
        except Exception:
            log.exception("job raised", job=job.name)


class Inside(Daemon):
    """Does in its thread what the daemon does in child processes."""

    def _child(self, stage: str) -> Callable[[datetime], object]:
        return lambda now: STAGES[stage](self.store, self.settings, now)


def main(config: Path, kind: type[Daemon]) -> int:
    log_to_stderr()
    print("ready", flush=True)
    begins = datetime.fromisoformat(sys.stdin.readline().strip())
    settings = settings_from(config)
    store = open_store(settings)
    with InstanceLock(store.path):
        sync_topics(store, settings.topics, begins)
        daemon = kind(settings, store, sources(settings, spent_in(store)), config)
        daemon.listen()
        Lapse(daemon, begins).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Inside if sys.argv[2:] else Daemon))
