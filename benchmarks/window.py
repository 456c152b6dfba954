"""The analysis of one topic's window as the daemon does it: read from the store, communities, resonance, cascades of
every post with three reshares or more, each with a forecast, written back.

python benchmarks/window.py                10k, 100k and 1M interactions, a fifth as many accounts
python benchmarks/window.py --size 50000   one size
python benchmarks/window.py --stages       seconds of each stage too
python benchmarks/window.py --together     graph and cascades at once, in two processes, as the daemon runs them

Two days of made-up interactions among ten communities: 60% reshares, the rest quotes, replies and mentions with a
post and a sentiment each. Every size runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import pstats
import resource
import sqlite3
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
from influence import made_up

from analysis.graph import KINDS
from config import Settings, Topic
from resonance.pipeline.graph import analyse_topic
from resonance.pipeline.spread import follow_cascades
from store import Store

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
NOW = BEGIN + timedelta(days=2)
TOPIC = Topic(slug="matcha", keywords=("抹茶", "matcha"), window_days=7)
WORDS = "抹茶 新作 期待 行列 値段 店舗 ラテ アイス 写真 広告 coffee latte queue price photo taste store summer".split()
BATCH = 20_000


def _stamps(seconds: np.ndarray) -> list[str]:
    moments = np.datetime64(BEGIN.replace(tzinfo=None), "s") + seconds.astype("timedelta64[s]")
    return [f"{moment}Z" for moment in np.datetime_as_string(moments)]


def fill(path: Path, size: int) -> None:
    """A store of `size` interactions among size / 5 accounts, with their posts, matches and sentiments."""
    store, rng = Store.open(path), np.random.default_rng(3)
    made = made_up(size, size // 5)
    order = np.argsort(made.time)
    made = replace(
        made, source=made.source[order], target=made.target[order], time=made.time[order], kind=made.kind[order]
    )
    names = [f"x:{name[1:]}" for name in made.accounts]
    at, variant, when = _stamps(made.time), rng.integers(0, 3, size), _stamps(np.zeros(1))[0]
    connection = store.connection
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO accounts (id, network, handle, followers, first_seen, observed_at) VALUES (?, 'x', ?, ?, ?, ?)",
        ((name, name[2:], int(n), when, when) for name, n in zip(names, rng.pareto(1, len(names)) * 100, strict=True)),
    )
    for begin in range(0, size, BATCH):
        _insert(connection, made, names, at, variant, range(begin, min(size, begin + BATCH)), when)
    connection.execute(
        "INSERT INTO changes (kind, subject) SELECT DISTINCT 'interaction', target_post_id FROM interactions "
        "WHERE target_post_id IS NOT NULL"
    )
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    store.close()


def _insert(connection: sqlite3.Connection, made, names, at, variant, rows: range, when: str) -> None:  # type: ignore[no-untyped-def]
    posts, edges, moods = [], [], []
    for n in rows:
        source, target, kind = int(made.source[n]), int(made.target[n]), KINDS[made.kind[n]]
        root = f"x:p{target}_{variant[n]}"
        posts.append((root, names[target], f"抹茶 {WORDS[target % len(WORDS)]} {root}", when, when, "[]"))
        via = "" if kind == "reshare" else f"x:v{n}"
        if via:
            text = f"抹茶 {' '.join(WORDS[(source + i * n) % len(WORDS)] for i in range(8))} {n}"
            posts.append((via, names[source], text, at[n], at[n], f'["tag{source % 50}"]'))
            moods.append((via, (n % 100) / 100, at[n]))
        goal = (None, names[target]) if kind == "mention" else (root, names[target])
        edges.append((kind, names[source], goal[0] or goal[1], *goal, via, at[n], at[n], at[n]))
    connection.executemany(
        "INSERT OR IGNORE INTO posts (id, network, author_id, text, text_hash, lang, created_at, first_seen, hashtags) "
        "VALUES (?, 'x', ?, ?, 'h', 'ja', ?, ?, ?)",
        posts,
    )
    connection.executemany(
        "INSERT OR IGNORE INTO matches (topic, post_id, created_at, version, matched_at) VALUES ('matcha', ?, ?, 1, ?)",
        [(post[0], post[3], post[3]) for post in posts],
    )
    connection.executemany(
        "INSERT INTO sentiments (post_id, text_hash, model, version, label, negative, neutral, positive, scored_at) "
        "VALUES (?, 'h', 'm', '1', 'neutral', ?, 0, 0, ?)",
        moods,
    )
    connection.executemany(
        "INSERT OR IGNORE INTO interactions (kind, source_id, subject, target_post_id, target_id, via_post_id, "
        "time_low, time_high, first_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        edges,
    )


def _afresh(store: Store) -> None:
    """Forget what an earlier measurement wrote."""
    written = ("cascades", "forecasts", "communities", "memberships", "community_events", "resonance", "evidence")
    with store.write() as connection:
        for table in (*written, "suspects", "runs", "marks"):
            connection.execute(f"DELETE FROM {table}")


def measure(path: Path, stages: bool) -> None:
    """Seconds and peak memory of one analysis, the settings read already."""
    store, settings = Store.open(path), Settings(topics=(TOPIC,))
    _afresh(store)
    began, cpu = time.perf_counter(), time.process_time()
    profile = cProfile.Profile(time.process_time)
    if stages:
        profile.enable()
    run = analyse_topic(store, TOPIC, NOW)
    graph = time.process_time() - cpu
    cascades = follow_cascades(store, settings, NOW)
    profile.disable()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    edges, accounts = (store.one(f"SELECT COUNT(*) FROM {table}") for table in ("interactions", "accounts"))
    groups = store.one("SELECT COUNT(*) FROM communities WHERE level = 'coarse' AND run_id = ?", (run,))
    print(
        f"{edges:12d} {accounts:8d} {groups:11d} {cascades:8d} {took:8.1f} {graph:9.1f} {cpu - graph:12.1f} "
        f"{_peak_mib():8d}",
        flush=True,
    )
    if stages:
        pstats.Stats(profile).sort_stats("cumtime").print_stats(40)


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _graph(path: Path, start: Barrier, told: Connection) -> None:
    store = Store.open(path)
    start.wait()
    began = time.process_time()
    analyse_topic(store, TOPIC, NOW)
    told.send((time.process_time() - began, _peak_mib()))


def _cascades(path: Path, start: Barrier, told: Connection) -> None:
    store, settings = Store.open(path), Settings(topics=(TOPIC,))
    start.wait()
    began = time.process_time()
    follow_cascades(store, settings, NOW)
    told.send((time.process_time() - began, _peak_mib()))


def measure_together(path: Path, _: bool) -> None:
    """Both parts at once on one file: seconds until both are written, and the sum of their peak memories."""
    store, spawn = Store.open(path), multiprocessing.get_context("spawn")
    _afresh(store)
    start, ends = spawn.Barrier(3), [spawn.Pipe(duplex=False) for _ in range(2)]
    parts = [spawn.Process(target=f, args=(path, start, e[1])) for f, e in zip((_graph, _cascades), ends, strict=True)]
    for part in parts:
        part.start()
    start.wait()
    began = time.perf_counter()
    for part in parts:
        part.join()
    took = time.perf_counter() - began
    (graph, one), (cascades, other) = (end[0].recv() for end in ends)
    counts = [store.one(f"SELECT COUNT(*) FROM {table}") for table in ("interactions", "accounts", "cascades")]
    groups = store.one("SELECT COUNT(*) FROM communities WHERE level = 'coarse'")
    print(
        f"{counts[0]:12d} {counts[1]:8d} {groups:11d} {counts[2]:8d} {took:8.1f} {graph:9.1f} {cascades:12.1f} "
        f"{one + other:8d}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int)
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which the stores are kept, and found again")
    told = parser.parse_args()
    print("                                               wall   CPU s of:             peak")
    print("interactions accounts communities cascades  seconds     graph     cascades      MiB", flush=True)
    spawn, measured = multiprocessing.get_context("spawn"), measure_together if told.together else measure
    with tempfile.TemporaryDirectory() as temporary:
        folder = told.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for size in [told.size] if told.size else [10_000, 100_000, 1_000_000]:
            path = folder / f"{size}.sqlite"
            for step, arguments in ((fill, (path, size)), (measured, (path, told.stages))):
                if step is fill and path.exists():
                    continue
                process = spawn.Process(target=step, args=arguments)
                process.start()
                process.join()


if __name__ == "__main__":
    main()
