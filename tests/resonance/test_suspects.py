"""Spikes and cascades with and without suspects, newcomers, and that sock puppets do not raise a rank in the daemon."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from config import Settings, Topic
from resonance.pipeline.graph import analyse_topic
from resonance.pipeline.spread import follow_cascades
from store import Store
from store.records import iso
from store.topic_hours import ModelKey, read_bins, recompute

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=60)
TOPIC = Topic(slug="matcha", keywords=("抹茶",), window_days=7)
HOUR = timedelta(hours=1)
RINGED = (5, 11)  # posts that the ring passes on


def account(store: Store, name: str, seen: datetime = LONG_AGO, *, bot: bool = False) -> None:
    with store.write() as db:
        db.execute(
            "INSERT OR IGNORE INTO accounts (id, network, handle, bot, first_seen, observed_at) "
            "VALUES (?, 'x', ?, ?, ?, ?)",
            (name, name[2:], bot, iso(seen), iso(seen)),
        )


def post(store: Store, name: str, author: str, at: datetime) -> None:
    with store.write() as db:
        db.execute(
            "INSERT INTO posts (id, network, author_id, text, text_hash, lang, created_at, first_seen) "
            "VALUES (?, 'x', ?, '抹茶', 'h', 'ja', ?, ?)",
            (name, author, iso(at), iso(at)),
        )
        db.execute(
            "INSERT INTO matches (topic, post_id, created_at, version, matched_at) VALUES ('matcha', ?, ?, 1, ?)",
            (name, iso(at), iso(at)),
        )
        db.execute("INSERT INTO changes (kind, subject) VALUES ('post', ?)", (name,))


def reshares(store: Store, item: str, author: str, sources: Iterable[tuple[str, datetime]]) -> None:
    with store.write() as db:
        db.executemany(
            "INSERT INTO interactions (kind, source_id, subject, target_post_id, target_id, time_low, time_high, "
            "first_seen) VALUES ('reshare', ?, ?, ?, ?, ?, ?, ?)",
            [(source, item, item, author, iso(at), iso(at), iso(at)) for source, at in sources],
        )
        db.execute("INSERT INTO changes (kind, subject) VALUES ('interaction', ?)", (item,))


@pytest.fixture
def town(tmp_path) -> Iterable[Store]:  # type: ignore[no-untyped-def]
    """30 regulars, known for long, who reshare the twelve posts of x:0 .. x:5, hours apart from each other."""
    store = Store.open(tmp_path / "town.sqlite")
    for n in range(30):
        account(store, f"x:{n}")
    post(store, "x:old", "x:0", LONG_AGO)
    for p in range(12):
        at = NOW - timedelta(hours=40 - 3 * p)
        post(store, f"x:p{p}", f"x:{p % 6}", at)
        crowd = [n for n in range(6, 30) if (n * 7 + p * 5) % 24 < 16 - 2 * (p % 6)]
        reshares(store, f"x:p{p}", f"x:{p % 6}", ((f"x:{n}", at + timedelta(minutes=5 * n)) for n in crowd))
    yield store
    store.close()


def ranks(store: Store, run: int | None) -> dict[str, tuple[int, float, float]]:
    rows = store.query(
        "SELECT account_id, rank, resonance, resonance_with_suspects FROM resonance WHERE run_id = ?", (run,)
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def left_out(store: Store, run: int | None) -> dict[str, int]:
    found: dict[str, int] = json.loads(store.one("SELECT left_out FROM runs WHERE id = ?", (run,)))
    return found


def ring(store: Store, size: int = 40) -> list[str]:
    """Accounts, as old as any, that reshare two posts within seconds of each other."""
    names = [f"x:ring{n}" for n in range(size)]
    for name in names:
        account(store, name)
    for p in RINGED:
        at = NOW - timedelta(hours=40 - 3 * p) + timedelta(minutes=7)
        reshares(store, f"x:p{p}", "x:5", ((name, at + timedelta(seconds=n % 40)) for n, name in enumerate(names)))
    return names


@pytest.mark.parametrize("hours", [(1, 2), (0, 160)])
def test_two_hundred_new_puppets_do_not_raise_a_rank(town: Store, hours: tuple[int, int]) -> None:
    """Made over the window, each another name, each sharing at a moment of its own, and nothing but this account."""
    before = ranks(town, analyse_topic(town, TOPIC, NOW))
    sources = []
    for n in range(200):
        at = NOW - timedelta(hours=hours[0] + (hours[1] - hours[0]) * (n + 1) / 202)
        account(town, f"x:puppet{n}", at)
        sources.append((f"x:puppet{n}", at))
    reshares(town, "x:p5", "x:5", sources)
    run = analyse_topic(town, TOPIC, NOW)
    after = ranks(town, run)
    assert after["x:5"][0] >= before["x:5"][0] and after["x:5"][1] <= before["x:5"][1]
    assert after["x:5"][2] > before["x:5"][2]  # with them it would have risen
    assert left_out(town, run)["newcomer"] == 200


def test_two_hundred_old_puppets_in_step_do_not_raise_a_rank(town: Store) -> None:
    before = ranks(town, analyse_topic(town, TOPIC, NOW))
    ring(town, 200)
    run = analyse_topic(town, TOPIC, NOW)
    assert ranks(town, run)["x:5"][0] >= before["x:5"][0]
    assert left_out(town, run)["coordinated"] == 400


def test_nobody_is_new_before_the_topic_was_watched_for_a_window(town: Store) -> None:
    with town.write() as db:
        db.execute("DELETE FROM matches WHERE post_id = 'x:old'")
        db.execute("UPDATE accounts SET first_seen = ?", (iso(NOW - HOUR),))
    assert left_out(town, analyse_topic(town, TOPIC, NOW))["newcomer"] == 0


def test_an_imported_past_is_a_past(town: Store) -> None:
    account(town, "x:late", NOW - HOUR)
    account(town, "x:import", NOW - HOUR)
    reshares(town, "x:p0", "x:0", [("x:late", NOW - HOUR), ("x:import", NOW - HOUR)])
    reshares(town, "x:old", "x:0", [("x:import", LONG_AGO + HOUR)])
    assert left_out(town, analyse_topic(town, TOPIC, NOW))["newcomer"] == 1


def test_cascades_are_stored_with_and_without_suspects(town: Store) -> None:
    settings = Settings(topics=(TOPIC,))
    account(town, "x:robot", bot=True)
    reshares(town, "x:p5", "x:5", [("x:robot", NOW - 5 * HOUR)])
    names = ring(town)
    follow_cascades(town, settings, NOW)
    sql = "SELECT size, size_with_suspects FROM v_cascades_active WHERE post_id = 'x:p5'"
    size, whole = town.query(sql)[0]
    assert whole == size + 1  # the robot declares itself; nobody has looked for rings yet
    analyse_topic(town, TOPIC, NOW)
    assert {row[0] for row in town.query("SELECT account_id FROM suspects")} == set(names)
    assert follow_cascades(town, settings, NOW + HOUR) > 0
    assert tuple(town.query(sql)[0]) == (size - len(names), whole)


def test_spikes_are_detected_without_suspects_and_say_how_many(town: Store) -> None:
    account(town, "x:robot", bot=True)
    hour = NOW - HOUR
    post(town, "x:b1", "x:robot", hour)
    post(town, "x:h1", "x:9", hour)
    recompute(town, TOPIC, [hour], ModelKey("m", "1"), lambda *_: None, NOW)
    row = town.query("SELECT posts, suspect_posts FROM v_topic_hourly WHERE hour_utc = ?", (iso(hour),))[0]
    assert row["posts"] >= 2 and row["suspect_posts"] == 1
    bins = read_bins(town, "matcha", hour, NOW, ["x"])
    assert sum(bins.posts) == row["posts"] - 1 and sum(bins.left_out) == 1


def test_a_run_that_judges_the_same_touches_nothing(town: Store) -> None:
    ring(town)
    analyse_topic(town, TOPIC, NOW)
    touched = town.one("SELECT COUNT(*) FROM changes WHERE kind = 'suspect'")
    assert touched == len(RINGED)
    analyse_topic(town, TOPIC, NOW)
    assert town.one("SELECT COUNT(*) FROM changes WHERE kind = 'suspect'") == touched
