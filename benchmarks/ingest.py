"""Posts a second through the whole store path (matching, search, metrics, change sequence), next to plain sqlite3.

`python benchmarks/ingest.py [--posts N]`. Makes its own posts; the plain run inserts the same rows into the same tables
without asking, matching or indexing anything. Processor time is what other work on the machine disturbs least.
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
from typing import NamedTuple

from config import Topic
from store import Store
from store.ingest import save_page
from store.matching import Matchers
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


class Took(NamedTuple):
    """Seconds by the clock and of the processor."""

    clock: float
    cpu: float


class Watch:
    """Measures a block."""

    def __enter__(self) -> Watch:
        self._clock, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.took = Took(time.perf_counter() - self._clock, time.process_time() - self._cpu)


def product(path: Path, count: int) -> tuple[Took, list[float]]:
    """What it took, and seconds of each write transaction."""
    store, matchers, each = Store.open(path), Matchers([TOPIC]), []
    made = list(pages(count))
    with Watch() as watch:
        for page in made:
            start = time.perf_counter()
            save_page(store, page, matchers, BEGIN + timedelta(days=1))
            each.append(time.perf_counter() - start)
    store.close()
    return watch.took, each


def plain(path: Path, count: int) -> Took:
    """The same rows by executemany into the same schema."""
    Store.open(path).close()
    connection = sqlite3.connect(path)
    made = list(pages(count))
    with Watch() as watch:
        for page in made:
            with connection:
                connection.executemany(
                    "INSERT INTO posts (id, network, author_id, text, text_hash, created_at, first_seen) "
                    "VALUES (?,?,?,?,?,?,?)",
                    [(p.id, p.network, p.author_id, p.text, "", p.created_at.isoformat(), "") for p in page.posts],
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO accounts (id, network, handle, first_seen, observed_at) "
                    "VALUES (?,?,?,'','')",
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
    connection.close()
    return watch.took


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000)
    count = parser.parse_args().posts
    with tempfile.TemporaryDirectory() as folder:
        took, each = product(Path(folder) / "product.sqlite", count)
        bare = plain(Path(folder) / "plain.sqlite", count)
        each.sort()
        for what, ours, theirs in (("clock", took.clock, bare.clock), ("processor", took.cpu, bare.cpu)):
            print(f"{count} matched posts by the {what}: {count / ours:,.0f} posts/s,", end=" ")
            print(f"plain sqlite3 {count / theirs:,.0f} posts/s, ratio {ours / theirs:.1f}")
        print(f"95% of write transactions within {1000 * each[int(0.95 * len(each))]:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
