"""Whole days with deaths at random pages and random faults: in the end the store holds what the sandbox holds."""

from datetime import timedelta
from random import Random

import pytest

from collector.errors import CollectorError
from config import Topic
from sandbox.faults import Fault
from store.db import Store
from store.ingest import checkpoints, save_page
from tests.collector.town import BEGIN, Town

TOPIC = Topic(slug="kopi", hashtags=("抹茶",))
KINDS = ("status", "rate_limited", "disconnect", "cut", "truncated", "malformed", "wrong_json")
STEP = 45


def day(town: Town, source, faults, store: Store, random: Random) -> int:
    """A day in steps, killed after some page in every second one; returns how often something went wrong."""
    wrong = 0
    for minute in range(STEP, 24 * 60 + 3 * STEP, STEP):
        now = town.at(minute)
        last = minute > 24 * 60
        faults.clear()
        if not last and random.random() < 0.5:
            times = random.randint(1, 2)
            faults.add(Fault(random.choice(KINDS), status=503, seconds=60, after=random.randint(0, 3), times=times))
        dies = None if last or random.random() < 0.5 else random.randint(0, 3)
        try:
            for number, page in enumerate(source.collect(TOPIC, checkpoints(store, source.name), now)):
                if number == dies:
                    wrong += 1
                    break  # fetched, and never stored
                save_page(store, page, [TOPIC], now)
        except CollectorError:
            wrong += 1
    return wrong


def filled(network: str, random: Random) -> Town:
    town = Town(network)
    bursts = sorted(random.uniform(0, 24 * 60) for _ in range(3))
    minutes = [random.uniform(0, 24 * 60) for _ in range(150)] + [b + n / 20 for b in bursts for n in range(150)]
    for minute in sorted(minutes):
        town.post(minute, "kopi #抹茶", author=str(100 + random.randrange(5)), indexed_after=timedelta(0))
    return town


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("network", ["x", "mastodon"])
def test_nothing_is_lost_and_nothing_is_there_twice(network, seed, tmp_path):
    random = Random(seed)
    town = filled(network, random)
    store = Store.open(tmp_path / "truth.sqlite")
    context = town.x() if network == "x" else town.mastodon()
    with context as (sandbox, source):
        source = source if network == "x" else source[0]
        wrong = day(town, source, sandbox.faults, store, random)
    natives = {row["native_id"] for row in store.query("SELECT native_id FROM post_sources")}
    assert wrong >= 8
    assert natives == set(town.world.posts)
    assert store.one("SELECT COUNT(*) FROM posts") == len(town.world.posts) == store.one("SELECT COUNT(*) FROM matches")
    ((start, end),) = store.query("SELECT start_utc, end_utc FROM observations")
    assert start <= "2026-10-05T00:00:00Z" and end >= "2026-10-06T01:00:00Z"
    assert town.now > BEGIN and not store.query("SELECT * FROM gaps")
    store.close()
