"""A simulated week of the daemon with everything that can go wrong, audited post by post.

`python benchmarks/week.py [--days N] [--per-hour N] [--seed N] [--keep FOLDER]`. The sandbox (docs/sandbox.md) plays X,
two servers of the fediverse, Slack and a mail server; the daemon runs in a process of its own, killed twice. What must
hold, how the clock is driven and what is compared stands in tests/robustness/week/. Exit code 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.robustness.week.audit import audit
from tests.robustness.week.play import Pace, play
from tests.robustness.week.report import lines
from tests.robustness.week.story import tell
from tests.robustness.week.troubles import schedule

BEGINS = datetime(2026, 10, 12, 3, tzinfo=UTC)
OFF = timedelta(days=9)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--per-hour", type=float, default=8, help="posts in a simulated hour, on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--collect", type=float, default=20, help="simulated minutes between two rounds")
    parser.add_argument("--keep", type=Path, help="a new folder for the store, the log and what was received")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return week(arguments, folder)


def week(arguments: argparse.Namespace, folder: Path) -> int:
    length = timedelta(days=arguments.days)
    story = tell(arguments.seed, BEGINS - OFF, BEGINS, length, arguments.per_hour)
    pace = Pace(
        collect=arguments.collect, refresh=60, alert=120, deliver=20, score=1440, analyse=1440,
        extra="[model]\nthreads = 1\n",
    )  # fmt: skip
    print(f"{len(story.world.posts)} posts, {len(story.world.reshares)} reshares", file=sys.stderr)
    played = play(
        story, schedule(BEGINS, length, 4), folder, pace, off=BEGINS - OFF, kills=(0.05, 0.12), seed=arguments.seed,
        tell=lambda text: print(text, file=sys.stderr),
    )  # fmt: skip
    found = audit(played)
    print("\n".join(lines(played, found)))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    sandbox, daemon = (one.ru_utime + one.ru_stime for one in used)
    print(f"{played.seconds:.0f} s; {sandbox:.0f} s of processor time for the sandbox, {daemon:.0f} s for the daemon")
    return int(bool(found.counts["wrong"]) or played.caught_up is None)


if __name__ == "__main__":
    sys.exit(main())
