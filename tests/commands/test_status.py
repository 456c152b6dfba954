"""`resonance status`: what every job did last, what it waits for, what is missing, what is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.errors import RateLimited
from config import load
from resonance import cycle
from resonance.jobs import Job, recorded
from store import Store
from store.ingest import save_page
from store.records import Gap, Observed, Page, Spend
from store.topics import sync_topics
from tests.commands.cli import call
from tests.store.conftest import post


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text('database = "r.sqlite"\n[[topics]]\nslug = "matcha"\nkeywords = ["抹茶"]\n', encoding="utf-8")
    return path


@pytest.fixture
def lived(config: Path) -> Path:
    settings, now = load(config), datetime.now(UTC)
    store = Store.open(settings.database)
    sync_topics(store, settings.topics, now)
    hour = timedelta(hours=1)
    page = Page(
        posts=[post(1, created_at=now - hour)],
        observed=[Observed("matcha", "x", now - hour, now)],
        gaps=[Gap("x", "matcha", now - 30 * hour, now - 20 * hour, "not asked [in] time")],
        spend=Spend("x", requests=3, posts=7, usd=0.035),
    )
    save_page(store, page, settings.topics, now)
    with recorded(store, "score", now) as job:
        job.result = "1 posts scored"
    with recorded(store, "collect:x", now) as job:
        waits = Job("collect:x")
        cycle._tell(waits, cycle.Collected(errors=[RateLimited("x", "the limit is reached.", now + hour)]))
        job.error, job.waits_for, job.waits_until = waits.error, waits.waits_for, waits.waits_until
    with store.write() as connection:
        connection.execute(
            "INSERT INTO deliveries (channel, kind, state, created_at, not_before) "
            "VALUES ('team', 'test', 'maybe_sent', '', '')"
        )
    store.close()
    return config


def test_it_tells_people(lived: Path) -> None:
    done = call("status", "--config", lived)
    assert done.code == 0
    told_of = ("matcha", "60 min ago", "1 posts scored", "the limit is reached", "(1 in a row)", "not asked [in] time")
    for told in (
        *told_of,
        "Today on x: 3 requests, 7 posts, $0.04",
        "01 on x: 3 requests, 7 posts",
        "Deliveries maybe_sent at team: 1",
        "just now",
    ):
        assert told in done.out.replace("\n", " "), told


def test_it_tells_programs(lived: Path) -> None:
    rows = [json.loads(line) for line in call("status", "--config", lived, "--json").out.splitlines()]
    kinds = {row["kind"]: row for row in rows}
    assert {"topic", "job", "spend", "cycle", "gap", "delivery"} <= set(kinds) and kinds["cycle"]["posts"] == 7
    jobs = {row["name"]: row for row in rows if row["kind"] == "job"}
    assert jobs["collect:x"]["waits_for"] == "the reset of a rate limit" and jobs["collect:x"]["failures"] == 1
    assert jobs["score"]["error"] is None and kinds["gap"]["topic"] == "matcha"


def test_before_anything_has_run(config: Path) -> None:
    done = call("status", "--config", config)
    assert done.code == 1 and "is not there" in done.err and "resonance run" in done.err
    assert not config.with_name("r.sqlite").exists()
    Store.open(load(config).database).close()
    assert "No job has run yet" in call("status", "--config", config).out


def test_it_reads_while_another_process_writes(lived: Path) -> None:
    store = Store.open(load(lived).database)
    with store.write() as connection:
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('post', 'x:1')")
        assert call("status", "--config", lived).code == 0
    store.close()
