"""Runs are compared only where they saw the same; two models are not two reactions; counts alone teach nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from config import Settings, Topic
from resonance.pipeline.detectors.people import rising_signals
from resonance.pipeline.reading import Window, interactions
from resonance.pipeline.spread import _forecaster, follow_cascades
from store import Store
from store.ingest import save_page
from store.records import Interaction, Metrics, Observed, Page, iso
from store.topics import sync_topics
from tests.store.conftest import NOW, post

TOPIC = Topic(slug="t", keywords=("抹茶",))
OLD = NOW - timedelta(days=3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "r.sqlite")
    sync_topics(opened, [TOPIC], NOW - timedelta(days=9))
    yield opened
    opened.close()


def run(store: Store, number: int, at, rank: int, low: float, high: float) -> None:
    with store.write() as db:
        db.execute(
            "INSERT INTO runs (id, kind, topic, state, started_at, finished_at, window_from, window_to, parameters, "
            "seed, versions) VALUES (?, 'graph', 't', 'done', ?, ?, '', '', '{}', 1, '{}')",
            (number, iso(at), iso(at)),
        )
        rows = [(number, f"x:{100 + r}", 0.1, 0.0, 0.2, r) for r in range(1, 60) if r != rank]
        db.executemany(
            "INSERT INTO resonance (run_id, account_id, resonance, low, high, rank, parts, parts_missing, flags) "
            "VALUES (?, ?, ?, ?, ?, ?, '{\"reactors\": 30}', '[]', '[]')",
            [*rows, (number, "x:9", (low + high) / 2, low, high, rank)],
        )


@pytest.fixture
def risen(store: Store) -> Store:
    """An account that rose from the fiftieth place to the first, while everything was read."""
    run(store, 1, OLD, 50, 1.0, 5.0)
    run(store, 2, NOW, 1, 40.0, 60.0)
    seen = [Observed("t", "x", NOW - timedelta(days=8), NOW)]
    save_page(store, Page(observed=seen), [TOPIC], NOW)
    return store


def told(store: Store) -> list[str]:
    return [s.subject for s in rising_signals(store, TOPIC, NOW)]


def test_a_rise_between_comparable_runs_is_told(risen: Store) -> None:
    assert told(risen) == ["x:9"]


def test_an_import_since_then_is_no_rise(risen: Store) -> None:
    save_page(risen, Page(posts=[post(1)]), [TOPIC], NOW, imported=True)
    assert told(risen) == []


def test_a_changed_query_is_no_rise(risen: Store) -> None:
    changed = Topic(slug="t", keywords=("抹茶",), exclude=("懸賞",))
    sync_topics(risen, [changed], NOW - timedelta(days=1))
    assert rising_signals(risen, changed, NOW) == []


def test_an_added_network_is_no_rise(risen: Store) -> None:
    seen = [Observed("t", "mastodon", NOW - timedelta(days=2), NOW)]
    save_page(risen, Page(observed=seen), [TOPIC], NOW)
    assert told(risen) == []


def test_a_hole_before_the_older_run_is_no_rise(risen: Store) -> None:
    with risen.write() as db:
        db.execute("DELETE FROM observations")
    seen = [Observed("t", "x", OLD - timedelta(hours=6), NOW)]
    save_page(risen, Page(observed=seen), [TOPIC], NOW)
    assert told(risen) == []


def test_two_models_do_not_make_two_reactions_of_one(store: Store) -> None:
    edge = Interaction("quote", "x:8", "x:1", "x:9", "x:2", NOW - timedelta(hours=1), NOW - timedelta(hours=1))
    page = Page(posts=[post(1), post(2, "抹茶なあ", author_id="x:8", quote_of_id="x:1")], interactions=[edge])
    save_page(store, page, [TOPIC], NOW)
    with store.write() as db:
        for version, negative in (("1", 0.9), ("2", 0.2)):
            db.execute(
                "INSERT INTO sentiments SELECT id, text_hash, 'm', ?, 'neutral', ?, 0.1, 0.1, 0, NULL, ? FROM posts",
                (version, negative, iso(NOW + timedelta(minutes=int(version)))),
            )
    found = interactions(store, TOPIC, Window.of(TOPIC, NOW))
    assert len(found) == 1 and found.negative.tolist() == pytest.approx([0.2])


def test_finished_cascades_known_by_counts_only_teach_no_forecaster(store: Store) -> None:
    with store.write() as db:
        db.executemany(
            "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, per_hour, communities, "
            "finished) VALUES ('t', ?, 'counts', ?, ?, 9, 0, '[]', 1)",
            [(f"p{n}", iso(NOW - timedelta(days=20)), iso(NOW)) for n in range(150)],
        )
    young = post(1, created_at=NOW - timedelta(hours=2))
    metrics = [Metrics("x:1", NOW - timedelta(minutes=m), "x", reshares=40 - m // 4) for m in (80, 40, 1)]
    save_page(store, Page(posts=[young], metrics=metrics), [TOPIC], NOW)
    assert follow_cascades(store, Settings(topics=(TOPIC,)), NOW) == 1
    assert store.one("SELECT COUNT(*) FROM forecasts") == 1
    assert _forecaster(store, TOPIC, NOW) is not None
    assert json.loads(store.one("SELECT communities FROM cascades WHERE post_id = 'x:1'")) == []
