"""From a post that tips a threshold being visible on the network to the alert at the channel: our own processing.

`python benchmarks/latency.py [--trials N]`. A network on loopback, ten days of history at ten times the demo's rate,
then a burst that becomes visible at once; every stage of the daemon runs once, the model loaded anew as its child
process does. What is printed leaves out the waiting: for the next poll (`schedule.collect`, `score`, `alert`,
`deliver`) and for the end of the quarter of an hour that the detectors judge.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from collector.sources import sources
from config import Settings, load
from resonance import cycle
from resonance.importing import import_file
from resonance.jobs import Job
from resonance.spent import spent_in
from resonance.tables import Skipped
from sandbox.network import Sandbox
from sandbox.world import Person, Post, World, x_id
from store import Store
from store.topics import sync_topics

BEGIN = datetime(2026, 10, 15, 3, tzinfo=UTC)
PER_HOUR = 41.0  # ten times the demo's 1,382 posts in 14 days
DAYS = 10
STEP = timedelta(minutes=30)
WORDS = "抹茶 ラテ 新作 おいしい 並んだ 高い 好き 最悪 今日 店 コーヒー 甘い 苦い 静か 混んでた 駅前".split()
BAD = "kopi の缶、最悪でした。返金してほしい。二度と買わない。"
STAGES = ("collect", "refresh", "score", "alert", "deliver")


def texts(rng: random.Random, count: int) -> list[str]:
    return ["kopi " + " ".join(rng.choices(WORDS, k=8)) for _ in range(count)]


def history(path: Path, rng: random.Random) -> Path:
    """An archive at an even pace up to BEGIN, as flattened posts of X."""
    known, step = texts(rng, 300), timedelta(hours=1 / PER_HOUR)
    count = int(DAYS * 24 * PER_HOUR)
    with path.open("w", encoding="utf-8") as file:
        for n in range(count):
            at = BEGIN - step * (count - n)
            native = x_id(at, n)
            line = {
                "id": native,
                "text": known[n % len(known)],
                "author_id": str(100 + n % 400),
                "created_at": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "lang": "ja",
                "edit_history_tweet_ids": [native],
                "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": 0, "quote_count": 0},
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path


def world_of(trial: int, rng: random.Random) -> World:
    """Half an hour of ordinary posts, and a burst of angry ones."""
    world = World()
    for n in range(400):
        world.people[str(100 + n)] = Person(str(100 + n), "x", f"taro{n}", f"Taro{n}", followers=50)
    ordinary = [(float(rng.uniform(0, 1800)), text) for text in texts(rng, int(PER_HOUR / 2))]
    angry = [(float(rng.uniform(60, 1740)), f"{BAD} {n}") for n in range(rng.randint(80, 160))]
    for n, (second, text) in enumerate(sorted(ordinary + angry)):
        at = BEGIN + timedelta(seconds=second)
        key = x_id(at, 10_000 * (trial + 1) + n)
        world.posts[key] = Post(key, "x", str(100 + n % 400), text, "ja", at)
    return world


def configure(folder: Path, sandbox: Sandbox) -> Settings:
    assert sandbox.slack is not None
    path = folder / "resonance.toml"
    path.write_text(
        f'database = "r.sqlite"\n[[topics]]\nslug = "kopi"\nkeywords = ["kopi"]\nsources = ["x"]\n'
        f'[x]\nbearer_token = "{sandbox.x_token}"\nbase_url = "{sandbox.x_url}"\ndaily_budget_usd = 1000\n'
        f'[[channels]]\ntype = "slack"\nname = "team"\nwebhook_url = "{sandbox.slack.webhook_url}"\n',
        encoding="utf-8",
    )
    return load(path)


def prepare(folder: Path) -> Path:
    """The store with its history, scored and summed, before anything happens."""
    with Sandbox(World(), lambda: BEGIN, mastodon=[], slack=True) as sandbox:
        settings = configure(folder, sandbox)
        store = Store.open(settings.database)
        sync_topics(store, settings.topics, BEGIN)
        import_file(store, settings, str(history(folder / "a.jsonl", random.Random(1))), BEGIN, Skipped("a"))
        cycle.score_job(store, settings, BEGIN)
        cycle.alert_job(store, settings, BEGIN)
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()
    return folder / "r.sqlite"


def timed(work: Callable[[], Job]) -> float:
    start = time.perf_counter()
    job = work()
    if job.error:
        sys.exit(f"{job.name}: {job.error}")
    return time.perf_counter() - start


def trial(base: Path, folder: Path, number: int) -> list[float]:
    """Seconds of each stage, until the message has arrived."""
    folder.mkdir()
    shutil.copy(base, folder / "r.sqlite")
    now = BEGIN + STEP
    with Sandbox(world_of(number, random.Random(number)), lambda: now, mastodon=[], slack=True) as sandbox:
        settings = configure(folder, sandbox)
        store = Store.open(settings.database)
        (source,) = sources(settings, spent_in(store))
        took = [
            timed(lambda: cycle.collect_job(store, settings, source, now)),
            timed(lambda: cycle.refresh_job(store, settings, source, now)),
            timed(lambda: cycle.score_job(store, settings, now)),
            timed(lambda: cycle.alert_job(store, settings, now)),
            timed(lambda: cycle.deliver_job(store, settings, now)),
        ]
        source.close()
        store.close()
        if sandbox.slack is None or len(sandbox.slack.messages) != 1:
            sys.exit(f"trial {number}: no alert arrived")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "base").mkdir()
        base = prepare(home / "base")
        took = np.array([trial(base, home / f"t{n}", n) for n in range(trials)])
    print(f"{trials} trials, {PER_HOUR:.0f} posts an hour; seconds     median    95th")
    for name, column in zip(STAGES, took.T, strict=True):
        print(f"{name:<44}{np.median(column):8.2f}{np.quantile(column, 0.95):8.2f}")
    # Refreshing counts runs beside the way of an alert, in another thread of the daemon's schedule.
    total = took.sum(axis=1) - took[:, STAGES.index("refresh")]
    print(f"{'post visible -> alert at the channel':<44}{np.median(total):8.2f}{np.quantile(total, 0.95):8.2f}")


if __name__ == "__main__":
    main()
