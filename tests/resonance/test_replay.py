"""The replay against the daemon's own stages, and that it knows nothing before its time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from resonance.commands.alerts import alerts
from resonance.errors import explain
from resonance.pipeline.detect import raise_alerts
from resonance.pipeline.detectors.trend import POSITIVE, RULES
from resonance.pipeline.spread import follow_cascades
from resonance.replay import SENSITIVITIES, Replayed, replay
from resonance.replay.known import Reading, read_history, seconds
from resonance.replay.trends import TrendReplay
from store.records import from_iso, iso
from tests.resonance.filled import START, Filled, burst, usual

END = START + timedelta(days=10, hours=12)
H, M = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten calm days, each post seen within five minutes."""
    path = tmp_path_factory.mktemp("calm") / "calm.sqlite"
    filled = Filled(path)
    times, labels = usual(START, END, 24)
    waits = np.random.default_rng(1).uniform(10, 300, len(times))
    filled.posts(times, labels, seen=[t + timedelta(seconds=float(w)) for t, w in zip(times, waits, strict=True)])
    filled.observed(START, END)
    filled.hours(END)
    filled.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    filled.close()
    return path


@pytest.fixture
def store(calm: Path, tmp_path: Path) -> Iterator[Filled]:
    path = tmp_path / "t.sqlite"
    shutil.copy(calm, path)
    filled = Filled(path)
    yield filled
    filled.close()


@pytest.fixture(autouse=True)
def short_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hours before the period are enough here; a day is the product's."""
    monkeypatch.setattr("resonance.replay.run.LEAD", 4 * H)


def run(filled: Filled, hours: float, begin: datetime = END) -> Replayed:
    return replay(filled.store, filled.settings, filled.settings.topics, begin, begin + hours * H)


def told(found: Replayed, sensitivity: str = "balanced") -> list[tuple[str, str, datetime]]:
    return [(r.rule, r.subject, r.raised_at) for r in found.of(sensitivity)]


def live(
    filled: Filled, hours: float, arriving: list[tuple[datetime, datetime, str]]
) -> list[tuple[str, str, datetime]]:
    """Play (posted, seen, label) through the daemon's stages in quarters of an hour; what was raised."""
    now = END
    while now < END + hours * H:
        before, now = now, now + 15 * M
        new = [a for a in arriving if before < a[1] <= now]
        filled.posts([a[0] for a in new], [a[2] for a in new], seen=[a[1] for a in new])
        filled.observed(END, now)
        filled.hours(now)
        follow_cascades(filled.store, filled.settings, now)
        raise_alerts(filled.store, filled.settings, now)
    rows = filled.store.query("SELECT rule, subject, opened_at FROM incidents WHERE historic = 0 ORDER BY id")
    return [(r[0], r[1], from_iso(r[2])) for r in rows]


def test_the_balanced_replay_raises_what_the_daemon_raised(store: Filled) -> None:
    times, labels = usual(END, END + 4 * H, 24, seed=7)
    more, moods = burst(END + H, 60, 90, "negative")
    pairs = [*zip(times, labels, strict=True), *zip(more, moods, strict=True)]
    arriving = [(t, t + 4 * M, str(label)) for t, label in pairs]
    raised = live(store, 4, arriving)
    assert raised and {r[0] for r in raised} <= {"negative_surge", "volume_spike"}
    found = told(run(store, 4))
    assert [r[:2] for r in found] == [r[:2] for r in raised]
    # The replay steps when a post has usually been seen, some minutes after the quarter hour.
    assert all(abs(a[2] - b[2]) <= 15 * M for a, b in zip(found, raised, strict=True))


def test_nothing_is_written(store: Filled) -> None:
    store.posts(*burst(END, 60, 200, "negative"))
    store.observed(END, END + 2 * H)
    before = list(store.store.connection.iterdump())
    assert run(store, 2).raised
    assert list(store.store.connection.iterdump()) == before


def test_a_more_sensitive_setting_is_never_later(store: Filled) -> None:
    store.posts(*burst(END, 120, 120, "negative"))
    store.observed(END, END + 3 * H)
    found = run(store, 3)
    first = [min((r.raised_at for r in found.of(name)), default=END + 99 * H) for name in SENSITIVITIES]
    assert first == sorted(first, reverse=True) and found.of("high")
    assert sum(count for _, count in found.weeks("high")) == len(found.of("high"))


def test_what_was_seen_late_is_known_late(store: Filled) -> None:
    """The same burst, once seen at once and once four hours later, when it was no news any more."""
    store.posts(*usual(END, END + 6 * H, 24, seed=7))
    times, labels = burst(END + H, 45, 180)
    ids = store.posts(times, labels)
    store.observed(END, END + 6 * H)
    assert [t for r, _, t in told(run(store, 6)) if r == "volume_spike" and END + H < t <= END + 2 * H]
    with store.store.write() as db:
        db.executemany("UPDATE posts SET first_seen = ? WHERE id = ?", [(iso(END + 5.5 * H), i) for i in ids])
    assert not [t for r, _, t in told(run(store, 5)) if r == "volume_spike"]


def test_an_outage_that_was_made_up_for_is_no_dip_in_the_replay(store: Filled) -> None:
    """Six hours in which nobody read; then everything at once. What is observed today was not observed then."""
    back = END + 6 * H
    times, labels = usual(END, back, 24, seed=7)
    store.posts(times, labels, seen=[back] * len(times))
    store.posts(*usual(back, back + H, 24, seed=8))
    store.observed(END, back + H)
    assert told(run(store, 7), "high") == []


def test_for_imported_posts_the_time_of_posting_stands_in_and_it_says_so(store: Filled) -> None:
    store.posts(*burst(END, 60, 200), imported=True, seen=[END + 500 * H] * 200)
    store.observed(END, END + 2 * H)
    found = run(store, 2)
    assert [r for r, _, _ in told(found)] == ["volume_spike"]
    assert any("archive" in note and "created_at" in note and "200 of" in note for note in found.notes)


def test_what_went_on_before_is_not_raised_again(store: Filled) -> None:
    store.posts(*burst(END - 3 * H, 180, 600), seen=None)
    store.observed(END, END + H)
    assert not [r for r in told(run(store, 1), "high") if r[0] == "volume_spike"]


def test_a_correction_counts_from_its_own_time(store: Filled) -> None:
    ids = store.posts(*burst(END, 30, 10, "negative"))
    with store.store.write() as db:
        db.execute(
            "INSERT INTO corrections (post_id, label, by, at) VALUES (?, 'positive', 'me', ?)", (ids[0], iso(END + H))
        )
    history = read_history(store.store, "kopi", END, END + 2 * H)
    ledger = history.ledger()
    seen = []
    for hours in (0.75, 1.5):
        now = seconds(END + hours * H)
        ledger.advance(now)
        bins = history.bins(ledger, [0], seconds(END), now)
        seen.append((sum(bins.posts), sum(bins.scored), sum(bins.negative)))
    assert seen == [(10, 10, 10), (10, 10, 9)]


def test_the_screen_hides_nothing(store: Filled) -> None:
    """Running the detector at every step finds the same as running it only where something was near."""
    store.posts(*usual(END, END + 4 * H, 24, seed=9))
    store.posts(*burst(END + H, 60, 40, "negative"))
    store.posts(*burst(END + 2.5 * H, 60, 60, "positive"))
    with store.store.write() as db:
        db.execute("UPDATE sentiments SET emotions = json_object('joy', label = 'positive', 'anger', 0.1)")
    store.observed(END, END + 4 * H)
    said_active = set()
    given = (store.store, store.topic, END, END + 4 * H, (*RULES, POSITIVE), ("joy", "anger"))
    both = [TrendReplay(*given, thorough=t) for t in (False, True)]
    for quarter in range(1, 16):
        moment = END + quarter * 15 * M + 5 * M
        said = [trends.at(moment, SENSITIVITIES) for trends in both]
        for name in SENSITIVITIES:
            first, second = ({(s.rule, s.subject): s.active for s in by[name]} for by in said)
            assert first == second, (moment, name)
            said_active |= {key for key, active in first.items() if active}
    assert {("positive_surge", "kopi"), ("emotion_surge", "kopi:joy"), ("negative_surge", "kopi")} <= said_active


def test_how_far_a_network_had_been_read() -> None:
    created = np.array([0, 600, 1200, 9000], np.int64)
    seen = np.array([120, 720, 1320, 9120], np.int64)
    reading = Reading.of([(0, 9300)], created, seen, np.zeros(4, bool))
    assert reading.delay == 240
    assert reading.upto(1320) == 1320 and reading.upto(1400) == 1320
    assert reading.upto(5000) == 5000 - 240  # quiet, but read: the next post was seen at once
    late = Reading.of([(0, 9300)], created, np.array([120, 720, 1320, 20_000], np.int64), np.zeros(4, bool))
    assert late.upto(9500) == 1320  # the daemon was off
    assert late.covered_until(9500) == 1320 and late.upto(20_000) == 20_000


def viral(filled: Filled, seen: timedelta) -> str:
    """A post passed on 240 times in 80 minutes, in a topic whose posts were passed on some times each."""
    before = [START + n * 4 * H for n in range(1, 31)]
    for n, (at, post_id) in enumerate(zip(before, filled.posts(before, ["neutral"] * 30), strict=True)):
        filled.reshares(post_id, [at + k * 10 * M for k in range(1, 5 + n % 6)])
    (post_id,) = filled.posts([END + H], ["neutral"], text="kopi すごい", author="x:star")
    times = [END + H + timedelta(seconds=20 * n) for n in range(1, 241)]
    filled.reshares(post_id, times, [t + seen for t in times])
    filled.observed(END, END + 4 * H)
    return post_id


def test_a_spreading_post_is_forecast_from_what_was_known(store: Filled) -> None:
    post_id = viral(store, 2 * M)
    found = [r for r in run(store, 4).of("balanced") if r.rule == "viral_cascade"]
    assert [r.subject for r in found] == [post_id]
    assert END + H < found[0].raised_at <= END + 2 * H and 20 <= found[0].observed < 180
    assert found[0].forecast is not None and found[0].forecast > found[0].observed


def test_reshares_known_later_do_not_count_before(store: Filled) -> None:
    viral(store, 2.5 * H)
    found = [r for r in run(store, 4).of("balanced") if r.rule == "viral_cascade"]
    assert all(r.raised_at >= END + 3.5 * H for r in found)


def test_a_stored_forecast_is_the_one_of_that_time(store: Filled) -> None:
    post_id = viral(store, 2 * M)
    with store.store.write() as db:
        db.executemany(
            "INSERT INTO forecasts (topic, post_id, made_at, age_seconds, observed, size, low, high, p_top5, version) "
            "VALUES ('kopi', ?, ?, 600, ?, 100, 50, 200, ?, '1')",
            [(post_id, iso(END + 1.2 * H), 40, 0.1), (post_id, iso(END + 2.2 * H), 70, 0.9)],
        )
    (found,) = [r for r in run(store, 4).of("balanced") if r.rule == "viral_cascade"]
    assert found.observed == 69 and END + 2.2 * H <= found.raised_at <= END + 2.5 * H


@pytest.mark.parametrize("kind", ["giveaway", "own"])
def test_giveaways_and_own_posts_are_no_viral_news(store: Filled, kind: str) -> None:
    post_id = viral(store, 2 * M)
    with store.store.write() as db:
        if kind == "own":
            db.execute("UPDATE matches SET own = 1 WHERE post_id = ?", (post_id,))
        else:
            db.execute("UPDATE posts SET text = 'kopi フォロー&リポストで10名様にプレゼント' WHERE id = ?", (post_id,))
    assert [r for r in told(run(store, 4), "high") if r[0] == "viral_cascade"] == []


def command(filled: Filled, *arguments: str):
    config = filled.settings.database.parent / "r.toml"
    config.write_text(
        f'database = "{filled.settings.database}"\n[[topics]]\nslug = "kopi"\nkeywords = ["kopi"]\n'
        'timezone = "UTC"\nholidays = ""\n'
    )
    return CliRunner().invoke(alerts, ["replay", "--config", str(config), *arguments])


def test_the_command_prints_tables_json_and_notes(store: Filled) -> None:
    store.posts(*burst(END, 60, 200))
    store.observed(END, END + 2 * H)
    span = ("--since", iso(END), "--until", iso(END + 2 * H))
    shown = command(store, *span)
    assert "emotions" not in shown.stderr  # that rule is off
    assert shown.exit_code == 0 and "balanced: 1 incidents; by week: 1 from 08 Oct" in shown.stdout
    assert "posts an hour" in shown.stdout and "Silent sources" in shown.stderr
    rows = [json.loads(line) for line in command(store, *span, "--json").stdout.splitlines()]
    assert {r["sensitivity"] for r in rows} == set(SENSITIVITIES)
    assert {r["rule"] for r in rows} == {"volume_spike"} and all(r["observed"] > 1.5 * r["expected"] for r in rows)
    assert all(END < from_iso(r["raised_at"]) <= END + 2 * H for r in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "yesterday"), "is no time"),
        (("--since", "2026-10-08", "--until", "2026-10-07"), "is not before"),
        (("--since", "2024-10-08", "--until", "2026-10-07"), "one year at most"),
        (("--since", "2026-10-08", "--topic", "tea"), "no topic 'tea'. Topics: kopi"),
    ],
)
def test_wrong_use_is_explained(store: Filled, arguments: tuple[str, ...], words: str) -> None:
    error = explain(command(store, *arguments).exception)
    assert error is not None and error.exit_code == 2 and words in error.text
