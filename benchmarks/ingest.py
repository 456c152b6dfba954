"""Posts a second through the whole store path (matching, search, metrics, change sequence), next to plain sqlite3.

`python benchmarks/ingest.py [--posts N]`. Makes its own posts; the plain run inserts the same rows into the same tables
without asking, matching or indexing anything.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config import Topic
from store import Store
from store.ingest import save_page
from store.matching import Matchers
from store.queries import QUERIES
from store.records import Account, Interaction, Metrics, Page, Post

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
PAGE = 100
WORDS = "抹茶 ラテ 新作 おいしい 並んだ 高い 好き 最悪 今日 店 コーヒー coffee latte good bad queue 甘い 苦い".split()
TOPIC = Topic(slug="matcha", keywords=("抹茶", "matcha"), hashtags=("matcha",), exclude=("懸賞",))


def pages(count: int) -> Iterator[Page]:
    """Pages of distinct posts that all match, with an author, counts and a reshare each."""
    rng = random.Random(1)
    for begin in range(0, count, PAGE):
        page = Page()
        for n in range(begin, min(begin + PAGE, count)):
            at = BEGIN + timedelta(seconds=n)
            author = f"x:{rng.randrange(20_000)}"
            text = f"抹茶 {' '.join(rng.choices(WORDS, k=12))} {n} #matcha"
            page.posts.append(Post(f"x:{n}", "x", author, text, at, "x", str(n), "ja", hashtags=("matcha",)))
            page.accounts.append(Account(author, "x", f"user{author[2:]}", followers=n % 1000))
            page.metrics.append(Metrics(f"x:{n}", at, "x", likes=n % 9, reshares=n % 5, replies=0, quotes=0))
            page.interactions.append(
                Interaction("reshare", f"x:{n % 977}", f"x:{n}", author, time_low=at, time_high=at)
            )
        yield page


def product(path: Path, count: int) -> tuple[float, list[float]]:
    """Seconds in all, and of each write transaction."""
    store, matchers, each = Store.open(path), Matchers([TOPIC]), []
    made = list(pages(count))
    begin = time.perf_counter()
    for page in made:
        start = time.perf_counter()
        save_page(store, page, matchers, BEGIN + timedelta(days=1))
        each.append(time.perf_counter() - start)
    took = time.perf_counter() - begin
    store.close()
    return took, each


def plain(path: Path, count: int) -> float:
    """The same rows by executemany into the same schema."""
    Store.open(path).close()
    connection = sqlite3.connect(path)
    made = list(pages(count))
    begin = time.perf_counter()
    for page in made:
        with connection:
            connection.executemany(
                "INSERT INTO posts (id, network, author_id, text, text_hash, created_at, first_seen) "
                "VALUES (?,?,?,?,?,?,?)",
                [(p.id, p.network, p.author_id, p.text, "", p.created_at.isoformat(), "") for p in page.posts],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO accounts (id, network, handle, first_seen, observed_at) VALUES (?,?,?,'','')",
                [(a.id, a.network, a.handle) for a in page.accounts],
            )
            connection.executemany(
                "INSERT INTO metrics (post_id, observed_at, observer, likes) VALUES (?,?,?,?)",
                [(m.post_id, m.observed_at.isoformat(), m.observer, m.likes) for m in page.metrics],
            )
            connection.executemany(
                "INSERT INTO interactions (kind, source_id, subject, target_post_id, time_high, first_seen) "
                "VALUES (?,?,?,?,?,'')",
                [(i.kind, i.source_id, i.target_post_id, i.target_post_id, "") for i in page.interactions],
            )
    took = time.perf_counter() - begin
    connection.close()
    return took


def label(path: Path) -> None:
    """A sentiment for every post, one in seven negative; the other results stay empty."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO sentiments SELECT id, text_hash, 'm', '1', iif(pk % 7, 'neutral', 'negative'), "
            "0.1, 0.8, 0.1, 0, NULL, created_at FROM posts"
        )
    connection.close()


def queries(path: Path) -> Iterator[tuple[str, float, int]]:
    """Milliseconds of each documented query, the best of three, and the rows that it found."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    parameters = {"topic": "matcha", "since": "2026-10-01T00:00:00Z", "words": "最悪"}
    for query in QUERIES:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            rows = len(connection.execute(query.sql, parameters).fetchall())
            times.append(time.perf_counter() - start)
        yield query.name, 1000 * min(times), rows
    connection.close()


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000)
    count = parser.parse_args().posts
    with tempfile.TemporaryDirectory() as folder:
        took, each = product(Path(folder) / "product.sqlite", count)
        bare = plain(Path(folder) / "plain.sqlite", count)
        each.sort()
        print(
            f"{count} matched posts: {count / took:,.0f} posts/s, plain sqlite3 {count / bare:,.0f} posts/s,", end=" "
        )
        print(f"ratio {took / bare:.1f}; 95% of write transactions within {1000 * each[int(0.95 * len(each))]:.0f} ms")
        label(Path(folder) / "product.sqlite")
        for name, took_ms, rows in queries(Path(folder) / "product.sqlite"):
            print(f"  {name:<22} {took_ms:8.1f} ms {rows:6} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
