"""Cascades in the daemon: whose forecaster answers, and what is looked at again first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analysis.cascades import ENOUGH, Forecaster
from config import Settings, Topic
from resonance.pipeline import spread
from resonance.pipeline.spread import REFIT, follow_cascades
from store import Store
from store.records import iso

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOPIC = Topic(slug="matcha", keywords=("抹茶",))
SETTINGS = Settings(topics=(TOPIC,))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "s.sqlite")


def passed_on(store: Store, name: str, at: datetime, minutes: range) -> None:
    """A post, passed on so many minutes after it, and a request to look at it again."""
    with store.write() as db:
        db.execute(
            "INSERT INTO posts (id, network, author_id, text, text_hash, created_at, first_seen) "
            "VALUES (?, 'x', 'x:0', '抹茶', 'h', ?, ?)",
            (name, iso(at), iso(at)),
        )
        db.execute(
            "INSERT INTO matches (topic, post_id, created_at, version, matched_at) VALUES ('matcha', ?, ?, 1, ?)",
            (name, iso(at), iso(at)),
        )
        moments = [iso(at + timedelta(minutes=m)) for m in minutes]
        db.executemany(
            "INSERT INTO interactions (kind, source_id, subject, target_post_id, time_low, time_high, first_seen) "
            "VALUES ('reshare', ?, ?, ?, ?, ?, ?)",
            [(f"x:{n}", name, name, moment, moment, moment) for n, moment in enumerate(moments, 1)],
        )
        db.execute("INSERT INTO changes (kind, subject) VALUES ('interaction', ?)", (name,))
        db.execute(
            "INSERT INTO refresh_requests (post_id, due_at, priority, asked_by) VALUES (?, '', 9, 'age')", (name,)
        )


def test_what_moves_and_may_become_large_is_looked_at_first(store: Store) -> None:
    passed_on(store, "x:fast", NOW - timedelta(minutes=59), range(1, 59))
    passed_on(store, "x:quiet", NOW - timedelta(days=2), range(1, 6))
    assert follow_cascades(store, SETTINGS, NOW) == 2
    asked = {row["post_id"]: row for row in store.query("SELECT * FROM refresh_requests")}
    assert {row["asked_by"] for row in asked.values()} == {"forecast"}
    assert 1 >= asked["x:fast"]["priority"] > asked["x:quiet"]["priority"] == 0


def test_the_forecaster_learns_from_its_own_finished_cascades(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[list[int]] = []

    def fit(history) -> Forecaster:  # type: ignore[no-untyped-def]
        learned.append([cascade.size() for cascade in history])
        return Forecaster.default()

    monkeypatch.setattr(Forecaster, "fit", fit)

    def finish(first: int, last: int) -> None:
        for n in range(first, last):
            passed_on(store, f"x:p{n:04d}", NOW - timedelta(days=30) + timedelta(minutes=n), range(1, 5 + n % 7))
        follow_cascades(store, SETTINGS, NOW)

    finish(0, ENOUGH - 1)
    assert spread._forecaster(store, TOPIC, NOW) is Forecaster.default() and not learned
    finish(ENOUGH - 1, ENOUGH)
    for _ in range(2):  # fitted once, then kept
        spread._forecaster(store, TOPIC, NOW)
    assert learned == [[5 + n % 7 for n in range(ENOUGH)]]
    finish(ENOUGH, ENOUGH + REFIT)
    spread._forecaster(store, TOPIC, NOW)
    assert [len(history) for history in learned] == [ENOUGH, ENOUGH + REFIT]
