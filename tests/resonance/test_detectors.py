"""The trend detectors on filled stores: what is told, and everything that must not be."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.wording import confidence_words
from resonance.pipeline.detectors.explain import CLEAR, posts_between, severity
from resonance.pipeline.detectors.trend import trend_signals
from store.records import Rule, Signal, iso
from store.topics import sync_topics
from tests.resonance.filled import START, Filled, burst, settings_for, usual

END = START + timedelta(days=10, hours=12)  # a Thursday noon
H, M = timedelta(hours=1), timedelta(minutes=1)
Fill = Callable[..., Filled]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten calm days at 24 posts an hour, read without a hole."""
    path = tmp_path_factory.mktemp("calm") / "calm.sqlite"
    filled = Filled(path)
    filled.posts(*usual(START, END, 24))
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


def later(filled: Filled, hours: float, pace: float = 24, negative: float = 0.25) -> datetime:
    """Time passes at some pace."""
    end = END + hours * H
    if pace:
        filled.posts(*usual(END, end, pace, seed=2, negative=negative))
    filled.observed(END, end)
    filled.hours(end)
    return end


def active(filled: Filled, now: datetime) -> list[Signal]:
    return [s for s in trend_signals(filled.store, filled.topic, now) if s.active]


def ever(filled: Filled, begin: datetime, hours: float) -> list[Signal]:
    """Whatever is active at four moments, the last one included."""
    return [s for i in range(1, 5) for s in active(filled, begin + i * hours * H / 4)]


def test_calm_days_are_judged_and_silent(store: Filled) -> None:
    found = trend_signals(store.store, store.topic, END)
    assert {(s.rule, s.subject) for s in found} == {
        ("volume_spike", "kopi"),
        ("volume_spike", "kopi:down"),
        ("negative_surge", "kopi"),
    }
    assert not any(s.active for s in found) and ever(store, END - 6 * H, 6) == []


def test_a_spike_is_told_upwards_with_its_posts_words_and_onset(store: Filled) -> None:
    ids = store.posts(*burst(END + 15 * M, 45, 180), text="kopi の新作ゴブレットが当たった")
    now = later(store, 1)
    spike = next(s for s in active(store, now) if s.rule == "volume_spike")
    assert (spike.subject, spike.facts["direction"]) == ("kopi", "up")
    assert spike.began_at == END + 15 * M and spike.evidence_at == now
    assert spike.observed >= 180 and spike.expected is not None and 15 < spike.expected < 45
    assert spike.severity == "warning" and 0.75 <= spike.confidence <= 1
    assert {i for i, _ in spike.evidence} <= set(ids) and len(spike.evidence) == 8
    assert any("ゴブレット" in word for word in spike.facts["words"])
    assert spike.series[-1][1] == spike.observed and spike.series[-1][4] is not None
    assert spike.observed > spike.series[-1][4]


def test_the_most_reacted_to_comes_first_and_removed_posts_are_no_evidence(store: Filled) -> None:
    ids = store.posts(*burst(END, 30, 5), text="kopi")
    with store.store.write() as db:
        for likes, post_id in enumerate(ids):
            for observer in ("x", "other"):
                db.execute(
                    "INSERT INTO metrics (post_id, observed_at, observer, likes) VALUES (?, ?, ?, ?)",
                    (post_id, iso(END), observer, 10 * likes),
                )
        db.execute("UPDATE posts SET removed_at = ? WHERE id = ?", (iso(END), ids[4]))
        db.execute(
            "INSERT INTO corrections (post_id, label, by, at) VALUES (?, 'negative', 'me', ?)", (ids[3], iso(END))
        )
    found = posts_between(store.store, "kopi", END, END + H)
    assert [p.id for p in found] == [ids[3], ids[2], ids[1], ids[0]]
    assert [p.weight for p in found] == [4.0, 3.0, 2.0, 1.0]
    assert [p.label for p in found] == ["negative", "neutral", "neutral", "neutral"]


def test_a_dip_is_a_thing_of_its_own_without_words_or_posts(store: Filled) -> None:
    now = later(store, 4, pace=0)
    store.settings = settings_for(store.settings.database, sensitivity="high")
    (dip,) = active(store, now)
    assert (dip.rule, dip.subject, dip.facts["direction"], dip.severity) == (
        "volume_spike",
        "kopi:down",
        "down",
        "info",
    )
    assert dip.observed == 0 and dip.expected is not None and dip.expected > 15
    assert dip.evidence == () and "words" not in dip.facts
    assert END <= dip.began_at <= END + H
    assert dip.series[-1][1] == 0 and dip.series[-2][1] == 0 and dip.series[0][1] > 0


def test_a_spike_after_a_dip_is_not_the_dip_again(store: Filled) -> None:
    later(store, 4, pace=0)
    store.settings = settings_for(store.settings.database, sensitivity="high")
    store.posts(*burst(END + 4 * H, 60, 200))
    store.observed(END, END + 5 * H)
    store.hours(END + 5 * H)
    by = {s.subject: s.active for s in trend_signals(store.store, store.topic, END + 5 * H) if s.rule == "volume_spike"}
    assert by == {"kopi": True, "kopi:down": False}


def test_a_negative_surge_names_negative_posts_and_the_clearest_window(store: Filled) -> None:
    bad = store.posts(*burst(END + H, 60, 30, "negative"), text="kopi 苦情")
    now = later(store, 2)
    surge = next(s for s in active(store, now) if s.rule == "negative_surge")
    assert surge.subject == "kopi" and END + H / 2 <= surge.began_at <= END + 1.5 * H
    assert surge.expected is not None and surge.high is not None
    assert 0.15 < surge.expected < 0.35 and surge.observed > surge.high
    assert {i for i, _ in surge.evidence} <= set(bad)
    assert surge.facts["negative"] >= 25 and any("苦情" in w for w in surge.facts["words"])


@pytest.mark.parametrize(
    ("rule", "observed", "confidence", "expected", "told"),
    [
        ("negative_surge", 0.8, 0.6, 0.2, "warning"),  # 4 of 5 posts: its text says that it may be chance
        ("negative_surge", 0.8, 0.75, 0.2, "critical"),
        ("negative_surge", 0.3, 0.99, 0.2, "warning"),
        ("negative_surge", 0.8, 0.99, None, "warning"),
        ("volume_spike", 90, 0.6, 10, "info"),
        ("volume_spike", 90, 0.75, 10, "warning"),
        ("volume_spike", 30, 0.99, 10, "info"),
    ],
)
def test_what_may_be_chance_is_not_the_gravest(
    rule: Rule, observed: float, confidence: float, expected: float | None, told: str
) -> None:
    up = {"direction": "up"}
    signal = Signal(rule, "kopi", "kopi", True, True, END, observed, expected, confidence=confidence, facts=up)
    assert severity(signal) == told
    said = ("偶然" in confidence_words("ja", confidence), "chance" in confidence_words("en", confidence))
    assert said == (confidence < CLEAR,) * 2


def test_fewer_negative_posts_are_no_incident(store: Filled) -> None:
    now = later(store, 8, negative=0.0)
    assert [s for s in ever(store, END, 8) if s.rule == "negative_surge"] == [] and now == END + 8 * H


def test_a_gap_is_unknown_and_so_is_what_follows_it(store: Filled) -> None:
    end = END + 8 * H
    store.posts(*usual(END + 6 * H, end, 24, seed=3))
    store.observed(END + 6 * H, end)
    store.hours(end)
    assert trend_signals(store.store, store.topic, END + 3 * H) == []  # nobody was reading
    assert ever(store, END, 8) == []


def test_one_network_that_stands_still_does_not_blind_the_other(store: Filled) -> None:
    store.posts(*usual(START, END, 6, seed=5), network="mastodon")
    store.observed(START, END, "mastodon")
    store.hours(END)
    store.posts(*burst(END + 3 * H, 45, 180))
    assert any(s.rule == "volume_spike" for s in active(store, later(store, 4)))


def test_an_added_source_is_no_spike(store: Filled) -> None:
    """A second network, three times as busy as the first, is read from now on."""
    later(store, 6)
    store.posts(*usual(END, END + 6 * H, 72, seed=4), network="mastodon")
    store.observed(END, END + 6 * H, "mastodon")
    store.hours(END + 6 * H)
    assert ever(store, END, 6) == []


def test_a_wider_query_is_no_spike(store: Filled) -> None:
    """From now on another word matches as well, and brings four times the posts."""
    wider = settings_for(store.settings.database, keywords=("kopi", "latte"))
    sync_topics(store.store, wider.topics, END)
    store.settings = wider
    store.posts(*usual(END, END + 6 * H, 96, seed=4), text="latte")
    later(store, 6)
    assert ever(store, END, 6) == []


def test_a_narrower_query_is_no_dip(store: Filled) -> None:
    narrow = settings_for(store.settings.database, exclude=("飲んだ",))
    assert sync_topics(store.store, narrow.topics, END) == ["kopi"]
    store.settings = narrow
    store.observed(END, END + 4 * H)
    store.hours(END + 4 * H)
    assert ever(store, END, 4) == [] and store.store.one("SELECT SUM(posts) FROM topic_hours") == 0


def test_own_posts_move_nothing(store: Filled) -> None:
    store.posts(*burst(END, 60, 300, "negative"), own=True)
    later(store, 1)
    assert ever(store, END, 1) == []


def test_a_sparse_topic_never_cries(tmp_path: Path) -> None:
    """A post every five hours; then three in a quarter of an hour, two of them negative; then none for days."""
    filled = Filled(tmp_path / "sparse.sqlite")
    filled.posts(*usual(START, END, 0.2))
    filled.posts([END, END + 5 * M, END + 12 * M], ["negative", "negative", "neutral"])
    filled.observed(START, END + 48 * H)
    filled.hours(END + 48 * H)
    assert ever(filled, END, 2) == [] and active(filled, END + 48 * H) == []
    filled.close()


def test_late_posts_correct_their_hour_and_raise_nothing_now(store: Filled) -> None:
    """What was posted six hours ago becomes known now: evidence as old as it is."""
    now = later(store, 7)
    assert active(store, now) == []
    store.posts(*burst(END, 45, 180), seen=[now] * 180)
    store.hours(now)
    assert store.store.one("SELECT posts FROM topic_hours WHERE hour_utc = ?", (iso(END),)) >= 180
    assert active(store, now) == []


def test_mostly_imported_evidence_is_as_old_as_the_archive(store: Filled) -> None:
    store.posts(*burst(END, 45, 180), imported=True)
    now = later(store, 1.5)
    spike = next(s for s in active(store, now) if s.rule == "volume_spike")
    assert spike.evidence_at is not None and spike.evidence_at <= END + 45 * M


def test_false_alarms_make_a_rule_stricter_for_that_topic(store: Filled) -> None:
    """A burst that is just told is no longer told once people have answered that such alerts are false."""
    store.posts(*burst(END + 15 * M, 45, 70))
    now = later(store, 1)
    assert [s.rule for s in active(store, now)] == ["volume_spike"]
    with store.store.write() as db:
        db.execute(
            "INSERT INTO threshold_changes (topic, rule, at, before, after, reason) "
            "VALUES ('kopi', 'volume_spike', ?, 1, 1.5, 'test')",
            (iso(END),),
        )
    assert active(store, now) == []
