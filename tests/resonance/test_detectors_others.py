"""Rising users, silent sources and spreading posts, on filled stores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from resonance.pipeline.detectors.people import newest_run, rising_signals
from resonance.pipeline.detectors.silence import silence_signals
from resonance.pipeline.detectors.spread import viral_signals
from store.records import iso
from tests.resonance.filled import START, Filled, burst, usual

NOW = START + timedelta(days=6)
H = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Filled]:
    filled = Filled(tmp_path / "t.sqlite")
    filled.observed(START, NOW)
    yield filled
    filled.close()


def analysis(filled: Filled, at: datetime, scores: dict[str, tuple[float, float, float]], reactors: int = 30) -> int:
    """A finished run with (resonance, low, high) by account, ranked in that order."""
    with filled.store.write() as db:
        run = db.execute(
            "INSERT INTO runs (kind, topic, state, started_at, finished_at, window_from, window_to, parameters, seed, "
            "versions) VALUES ('graph', 'kopi', 'done', ?, ?, ?, ?, '{}', 1, '{}')",
            (iso(at),) * 4,
        ).lastrowid
        db.executemany(
            "INSERT INTO resonance (run_id, account_id, resonance, low, high, rank, parts, parts_missing, flags) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, '[]', '[]')",
            [
                (run, account, *score, rank, json.dumps({"reactors": reactors}))
                for rank, (account, score) in enumerate(scores.items(), 1)
            ],
        )
    return int(run or 0)


def crowd(first: int = 0) -> dict[str, tuple[float, float, float]]:
    return {f"x:old{n}": (90.0 - n, 85.0 - n, 95.0 - n) for n in range(first, 60)}


def risen(filled: Filled, reactors: int = 30, low: float = 80.0) -> int:
    """Two days ago `x:new` was 60th; now it is first."""
    before = crowd() | {"x:new": (20.0, 15.0, 25.0)}
    analysis(filled, NOW - 49 * H, before)
    return analysis(filled, NOW - H, {"x:new": (95.0, low, 99.0)} | crowd(), reactors)


def test_a_riser_is_told_and_those_who_stayed_are_not(store: Filled) -> None:
    risen(store)
    (signal,) = rising_signals(store.store, store.topic, NOW)
    assert (signal.rule, signal.subject, signal.observed, signal.expected) == ("rising_user", "x:new", 95.0, 25.0)
    assert (signal.facts["rank"], signal.facts["rank_before"]) == (1, 61)


def test_an_analysis_of_tomorrow_is_not_known_today(store: Filled) -> None:
    run = risen(store)
    assert newest_run(store.store, store.topic, NOW) == run
    assert newest_run(store.store, store.topic, NOW - 2 * H) == run - 1
    assert rising_signals(store.store, store.topic, NOW - 2 * H) == []


@pytest.mark.parametrize("weak", [{"reactors": 5}, {"low": 10.0}])
def test_few_reactors_or_overlapping_intervals_are_no_rise(store: Filled, weak: dict[str, float]) -> None:
    risen(store, **weak)  # type: ignore[arg-type]
    assert rising_signals(store.store, store.topic, NOW) == []


def test_one_run_is_nothing_to_compare_with(store: Filled) -> None:
    analysis(store, NOW - H, {"x:new": (95.0, 80.0, 99.0)} | crowd())
    assert rising_signals(store.store, store.topic, NOW) == []


def test_a_hole_before_the_older_run_makes_runs_incomparable(store: Filled) -> None:
    risen(store)
    with store.store.write() as db:
        db.execute("DELETE FROM observations")
    store.observed(NOW - 60 * H, NOW)
    assert rising_signals(store.store, store.topic, NOW) == []


def test_whose_post_is_told_as_spreading_is_not_told_again(store: Filled) -> None:
    run = risen(store)
    with store.store.write() as db:
        db.execute("INSERT INTO evidence VALUES ('resonance', ?, 'x:1', 1.0)", (f"{run}:x:new",))
        db.execute(
            "INSERT INTO incidents (topic, rule, subject, state, severity, began_at, opened_at, updated_at, "
            "last_active_at, facts) VALUES ('kopi', 'viral_cascade', 'x:1', 'open', 'info', ?, ?, ?, ?, '{}')",
            (iso(NOW),) * 4,
        )
    assert rising_signals(store.store, store.topic, NOW) == []


def silent(filled: Filled, now: datetime) -> dict[str, bool]:
    return {s.subject: s.active for s in silence_signals(filled.store, filled.settings, now)}


def test_a_source_that_brings_nothing_for_long_is_told(store: Filled) -> None:
    store.posts(*usual(START, NOW, 6))
    assert silent(store, NOW) == {"x": False}
    store.observed(NOW, NOW + 9 * H)
    assert silent(store, NOW + 5 * H) == {"x": False}
    assert silent(store, NOW + 9 * H) == {"x": True}


def test_a_usual_pause_is_no_silence(store: Filled) -> None:
    """Posts come for some hours a day only; the pause until tomorrow is as long as ever."""
    for day in range(6):
        store.posts(*burst(START + timedelta(days=day), 240, 30))
    store.observed(NOW, NOW + 10 * H)
    assert silent(store, NOW - H) == {"x": False}  # twenty hours after the last post
    assert silent(store, NOW + 4 * H) == {"x": False}
    assert silent(store, NOW + 8 * H) == {"x": True}


def spreading(filled: Filled, text: str = "kopi すごい", own: bool = False, author: str = "x:star") -> str:
    """A cascade of 200 with a forecast among the largest."""
    (post_id,) = filled.posts([NOW - H], ["positive"], text=text, own=own, author=author)
    filled.reshares(post_id, [NOW - H + timedelta(seconds=15 * n) for n in range(200)])
    with filled.store.write() as db:
        db.execute(
            "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, per_hour, communities) "
            "VALUES ('kopi', ?, 'star', ?, ?, 201, 200, '[]')",
            (post_id, iso(NOW - H), iso(NOW)),
        )
        db.execute(
            "INSERT INTO forecasts (topic, post_id, made_at, age_seconds, observed, size, low, high, p_top5, version) "
            "VALUES ('kopi', ?, ?, 3600, 201, 400, 300, 600, 0.9, '1')",
            (post_id, iso(NOW)),
        )
    return post_id


def viral(filled: Filled) -> list[str]:
    return [s.subject for s in viral_signals(filled.store, filled.settings, filled.topic, NOW) if s.active]


def test_a_post_on_its_way_to_the_top_is_told(store: Filled) -> None:
    assert viral(store) == []
    assert [spreading(store)] == viral(store)


def test_own_posts_and_giveaways_are_not(store: Filled) -> None:
    spreading(store, own=True)
    spreading(store, text="kopi フォロー&リポストで10名様にプレゼント")
    assert viral(store) == []


def test_an_author_who_goes_on_about_it_is_told_once(store: Filled) -> None:
    first, second = spreading(store), spreading(store)
    other = spreading(store, author="x:other")
    with store.store.write() as db:
        db.execute(
            "INSERT INTO incidents (topic, rule, subject, state, severity, began_at, opened_at, updated_at, "
            "last_active_at, facts) VALUES ('kopi', 'viral_cascade', ?, 'open', 'info', ?, ?, ?, ?, '{}')",
            (first, *(iso(NOW - H / 2),) * 4),
        )
    assert sorted(viral(store)) == sorted([first, other]) and second not in viral(store)
