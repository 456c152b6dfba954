"""The ten questions of docs/schema.md on a file of a million posts, cold and warm.

`python benchmarks/questions.py [--posts N] [--file FILE]`. Makes the file, if FILE is not there yet: posts, reactions
and counts through the product's own `save_page` (large pages), sums by hour through its own `update_hours`; labels,
runs, cascades and incidents are inserted as its stages would. Eight topics of unequal size lie within 30 days; `calm`,
the smallest, has no negative post. Every question is asked for the largest and the smallest topic. Cold: the file's
pages are dropped from memory first. CPU times are what a question costs on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config import Settings, Topic
from resonance.pipeline.hours import update_hours
from store import Store
from store.ingest import observe, save_page
from store.matching import Matchers
from store.queries import QUERIES
from store.records import Account, Interaction, Metrics, Observed, Page, Post, iso
from store.topic_hours import ModelKey
from store.topics import sync_topics

BEGIN, DAYS = datetime(2026, 10, 1, tzinfo=UTC), 30
END = BEGIN + timedelta(days=DAYS)
PAGE, AUTHORS = 2_000, 60_000
KEYWORDS = {
    "matcha": ("抹茶", 40), "ramen": ("ラーメン", 22), "sake": ("日本酒", 14), "train": ("電車", 9),
    "drama": ("ドラマ", 7), "shoes": ("スニーカー", 4), "tea-house": ("茶屋", 3), "calm": ("盆栽", 1),
}  # fmt: skip
TOPICS = tuple(Topic(slug=slug, keywords=(word,)) for slug, (word, _) in KEYWORDS.items())
ENDS = (
    "が最悪だった、もう行かない。 が好きすぎて毎日飲んでいる☕ を買った。思ったより高い！ の新作、駅前の店で見つけた。 "
    "の列が長くて友達と帰った… について話そう coffee and cake はどこがおいしいですか？ の写真を撮った📷 今日も雨。 "
    "was great, thank you for the recommendation! queue took an hour, never again. と仕事と会社と映画の週末。"
).split(" ")
ENDS += ["という話を電車の中でずっと聞いていた。", "は限定予約だけらしい、残念。", "で日本の夏が終わる。"]
WORDS = {  # what is searched for, and what is hard about it
    "最悪": "in every 13th post",
    "抹茶": "in two posts of five, all of the largest topic",
    "日本": "in many topics",
    "日": "one character: every word that begins with it",
    "盆栽": "of the smallest topic only",
    "coffee": "Latin letters",
    "見当たらない言葉": "nowhere",
}


def pages(count: int) -> Iterator[Page]:
    """Posts of eight topics at an even pace, one in fifty of two; a few are reshared often, most never."""
    rng = random.Random(1)
    slugs, weights = list(KEYWORDS), [weight for _, weight in KEYWORDS.values()]
    for begin in range(0, count, PAGE):
        page, seen = Page(), set()
        for n in range(begin, min(begin + PAGE, count)):
            at = BEGIN + timedelta(seconds=n * DAYS * 86_400 / count)
            author = f"x:{int(AUTHORS * rng.random() ** 3)}"
            words = [KEYWORDS[slug][0] for slug in rng.choices(slugs, weights, k=1 + (rng.random() < 0.02))]
            text = "と".join(words) + "".join(rng.sample(ENDS, 3)) + str(n)
            page.posts.append(Post(f"x:{n}", "x", author, text, at, "x", str(n), "ja", url=f"https://x.example/{n}"))
            if author not in seen:
                seen.add(author)
                page.accounts.append(Account(author, "x", f"user{author[2:]}", followers=n % 5000))
            spread = int(rng.paretovariate(0.9)) if n % 20 == 0 else 0
            for step in range(1 + 5 * (spread > 0)):
                seen_at = at + timedelta(hours=step)
                page.metrics.append(Metrics(f"x:{n}", seen_at, "x", likes=n % 9 + step, reshares=spread, replies=0))
            for reshare in range(min(spread, 1_000)):
                when = at + timedelta(minutes=reshare)
                by = f"x:{rng.randrange(AUTHORS)}"
                page.interactions.append(Interaction("reshare", by, f"x:{n}", author, time_low=when, time_high=when))
        yield page


def build(path: Path, count: int) -> None:
    """The file, and how long it took."""
    store, matchers, started = Store.open(path), Matchers(TOPICS), time.process_time()
    sync_topics(store, TOPICS, BEGIN)
    for number, page in enumerate(pages(count)):
        save_page(store, page, matchers, END)
        if number % 50 == 49:
            print(f"{(number + 1) * PAGE} posts, {time.process_time() - started:.0f} s of CPU", file=sys.stderr)
    with store.write() as db:
        db.execute(
            "INSERT INTO sentiments (post_id, text_hash, model, version, label, negative, neutral, positive, "
            "uncertain, scored_at) SELECT p.id, p.text_hash, 'm', '1', iif(p.pk % 7 OR EXISTS (SELECT 1 FROM matches m "
            "WHERE m.post_id = p.id AND m.topic = 'calm'), iif(p.pk % 3, 'neutral', 'positive'), 'negative'), "
            "0.1, 0.8, 0.1, p.pk % 10 = 0, p.created_at FROM posts p"
        )
        for topic in TOPICS:
            observe(db, Observed(topic.slug, "x", BEGIN, END))
    print(f"labelled, {time.process_time() - started:.0f} s of CPU", file=sys.stderr)
    update_hours(store, Settings(topics=TOPICS), ModelKey("m", "1"), lambda n, *_: (0.1, 0.05, 0.2), END)
    with store.write() as db:
        for topic in TOPICS:
            results(db, topic.slug)
        db.execute("DELETE FROM changes")
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.connection.execute("PRAGMA optimize")
    store.close()
    print(f"all, {time.process_time() - started:.0f} s of CPU", file=sys.stderr)


def results(db: sqlite3.Connection, topic: str) -> None:
    """Thirty runs of a topic with 1,000 accounts each, a cascade of every hundredth post, 150 incidents."""
    accounts = [f"x:{n}" for n in range(1_000)]
    for day in range(DAYS):
        at = iso(BEGIN + timedelta(days=day + 1))
        run = db.execute(
            "INSERT INTO runs (kind, topic, state, started_at, finished_at, window_from, window_to, parameters, seed, "
            "versions) VALUES ('graph', ?, 'done', ?, ?, ?, ?, '{}', 1, '{}')",
            (topic, at, at, iso(BEGIN), at),
        ).lastrowid
        db.executemany(
            "INSERT INTO resonance (run_id, account_id, resonance, low, high, rank, follower_rank, followers, "
            "community, subcommunity, parts, parts_missing, flags) "
            "VALUES (?, ?, ?, 1, 99, ?, ?, 10, ?, 'f', '{}', '[]', '[]')",
            [(run, a, 100 - n / 10, n + 1, 1000 - n, f"c{n % 8}") for n, a in enumerate(accounts)],
        )
        db.executemany(
            "INSERT INTO communities (run_id, community, level, size, label, hashtags, words, languages, central, "
            "echo_chamber) VALUES (?, ?, ?, ?, '#x', '[]', '[]', '{\"ja\": 1}', '[]', 0.2)",
            [(run, f"c{n}", "coarse" if n < 8 else "fine", 100 * n) for n in range(60)],
        )
        if day >= DAYS - 3:
            db.execute(
                "INSERT INTO evidence (subject_kind, subject_id, post_id, weight) "
                "SELECT 'resonance', ?1 || ':' || p.author_id, p.id, 1.0 "
                "FROM matches m JOIN posts p ON p.id = m.post_id "
                "WHERE m.topic = ?2 AND m.created_at > ?3 AND p.author_id IN (SELECT account_id FROM resonance "
                "WHERE run_id = ?1 AND rank <= 50)",
                (run, topic, iso(BEGIN + timedelta(days=day))),
            )
    db.execute(
        "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, depth, breadth, "
        "structural_virality, per_hour, communities, finished) SELECT topic, post_id, 'star', created_at, created_at, "
        "abs(random()) % 1000, 1, 1, 1.5, 3, '[]', created_at < ?2 "
        "FROM (SELECT *, row_number() OVER () AS n FROM matches WHERE topic = ?1) WHERE n % 100 = 0",
        (topic, iso(END - timedelta(days=7))),
    )
    for hours in (0.25, 0.5, 1, 2, 6, 24):
        db.execute(
            "INSERT INTO forecasts (topic, post_id, made_at, age_seconds, observed, size, low, high, p_top5, "
            "reproduction, version) SELECT topic, post_id, strftime('%Y-%m-%dT%H:%M:%SZ', started_at, ?2), ?3, 10, "
            "300, 30, 900, abs(random()) % 100 / 100.0, 0.5, '1' FROM cascades WHERE topic = ?1",
            (topic, f"+{int(60 * hours)} minutes", int(3600 * hours)),
        )
    for n in range(150):
        at = iso(BEGIN + timedelta(hours=4 * n))
        incident = db.execute(
            "INSERT INTO incidents (topic, rule, subject, state, severity, began_at, opened_at, updated_at, "
            "last_active_at, resolved_at, facts) "
            "VALUES (?, 'volume_spike', ?, 'resolved', 'warning', ?, ?, ?, ?, ?, ?)",
            (topic, topic, at, at, at, at, at, json.dumps({"observed": n})),
        ).lastrowid
        db.execute(
            "INSERT INTO feedback (incident_id, at, by, verdict) VALUES (?, ?, 'aya', 'helpful')", (incident, at)
        )


def drop_from_memory(path: Path) -> None:
    """Ask the system to forget the file's pages."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def ask(path: Path, sql: str, parameters: dict[str, str], runs: int) -> tuple[float, list[float], list[float], int]:
    """Milliseconds cold, and warm by the clock and of CPU; and the rows found."""
    drop_from_memory(path)
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    clock: list[float] = []
    cpu: list[float] = []
    for _ in range(runs + 1):
        start, spent = time.perf_counter(), time.process_time()
        rows = len(connection.execute(sql, parameters).fetchall())
        clock.append(1000 * (time.perf_counter() - start))
        cpu.append(1000 * (time.process_time() - spent))
    connection.close()
    return clock[0], clock[1:], cpu, rows


def questions() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name, SQL and parameters of every question asked."""
    for query in QUERIES:
        for topic in ("matcha", "calm"):
            asked = {"topic": topic, "since": iso(BEGIN)}
            if query.name == "search":
                yield from ((f"search {word}", query.sql, asked | {"words": word}) for word in WORDS)
            else:
                yield query.name, query.sql, asked


def main() -> int:
    """Print a table, and say whether every question took less than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path, help="made if it is not there, and kept")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--limit", type=float, default=300, help="milliseconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "questions.sqlite"
        if not path.exists():
            part = path.with_name(f"{path.name}.part")
            build(part, options.posts)
            part.replace(path)
        print(f"{path.stat().st_size / 2**20:,.0f} MB\n")
        print("| question | topic | rows | cold, ms | warm, median | warm, worst | CPU, median | CPU, worst |")
        print("|---|---|---|---|---|---|---|---|")
        slow = []
        for name, sql, parameters in questions():
            cold, warm, cpu, rows = ask(path, sql, parameters, options.runs)
            values = (cold, statistics.median(warm), max(warm), statistics.median(cpu), max(cpu))
            print(f"| {name} | {parameters['topic']} | {rows:,} | {' | '.join(f'{v:.1f}' for v in values)} |")
            if statistics.median(warm) > options.limit:
                slow.append(f"{name} ({parameters['topic']})")
        print(f"\nAbove {options.limit:.0f} ms: {', '.join(slow) or 'none'}.")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
