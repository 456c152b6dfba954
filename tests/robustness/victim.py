"""A process that runs cycles and dies where it is told: `python -m tests.robustness.victim MODEL`.

It imports everything once and forks for each order (a JSON line), so that a death costs milliseconds. An order names
the configuration, the time, and where to die: `{"calls": n}` at the n-th Python call, `{"opcodes": n}` within the
n-th hundred steps of SQLite's machine, `{"statements": n}` before the n-th statement (BEGIN and COMMIT are some),
`{"seconds": s}` from outside, `{"jobs": n}` when the n-th job has ended, `{"function": name, "nth": n}` when a function
is entered. It answers with a JSON line: the signal that ended it, the exit code, and what it had counted.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import holidays

from alerts import charts, email, slack  # noqa: F401 - imported before the fork
from analysis.sentiment import scorer
from collector.sources import sources
from config import load
from resonance import cycle, jobs
from resonance.app import log_to_stderr
from resonance.lock import InstanceLock
from resonance.spent import spent_in
from store import Store
from store.topics import sync_topics

STEPS = 100
counted: Counter[str] = Counter()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def reached(kind: str, limit: int | None) -> None:
    counted[kind] += 1
    if counted[kind] == limit:
        die()


def watch_calls(order: dict[str, Any]) -> None:
    """Count calls in every thread; only what this product does, libraries included, from here on."""
    limit, name, nth = order.get("calls"), order.get("function"), order.get("nth", 1)

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        if name is None:
            reached("calls", limit)
        elif frame.f_code.co_qualname == name:
            reached("function", nth)

    threading.setprofile(profile)
    sys.setprofile(profile)


def watch_sql(order: dict[str, Any]) -> None:
    connect = Store._connect

    def watched(self: Store) -> sqlite3.Connection:
        connection = connect(self)
        connection.set_progress_handler(lambda: reached("opcodes", order.get("opcodes")), STEPS)
        connection.set_trace_callback(lambda _: reached("statements", order.get("statements")))
        return connection

    Store._connect = watched  # type: ignore[method-assign]


def watch_jobs(order: dict[str, Any]) -> None:
    record = jobs._record

    def recorded(*arguments: Any) -> None:
        record(*arguments)
        reached("jobs", order.get("jobs"))

    jobs._record = recorded


def live(order: dict[str, Any]) -> int:
    """What `resonance run --once` does, at the time that was ordered."""
    now = datetime.fromisoformat(order["now"])
    watch_sql(order)
    watch_jobs(order)
    if "calls" in order or "function" in order or order.get("count"):
        watch_calls(order)
    settings = load(Path(order["config"]))
    store = Store.open(settings.database)
    with InstanceLock(store.path):
        sync_topics(store, settings.topics, now)
        found = sources(settings, spent_in(store))
        done = cycle.run_cycle(store, settings, found, now)
    Path(order["config"]).with_name("counted.json").write_text(json.dumps(counted))
    print(*[f"{j.name}: {j.error or j.result}" for j in done.jobs], sep="\n", file=sys.stderr)
    return done.exit_code


def wait(pid: int, seconds: float | None) -> int:
    if seconds is not None:
        time.sleep(seconds)
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)
        else:
            return 0
    return os.waitpid(pid, 0)[1]


def main() -> None:
    log_to_stderr()
    scorer.load(sys.argv[1], threads=1)  # and with it all that it imports
    holidays.country_holidays("JP")
    for line in sys.stdin:
        order = json.loads(line)
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(live(order))
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(99)
        status = wait(pid, order.get("seconds"))
        answer = {
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "took": time.monotonic() - began,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
