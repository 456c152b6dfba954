"""The share of positive posts: off by default, told at an ordinary volume with the posts that show it, never grave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.compose import compose
from alerts.incidents import apply
from alerts.read import incident
from alerts.texts import plain
from resonance.pipeline.detect import signals
from resonance.pipeline.detectors.trend import POSITIVE, RULES, rules_on, trend_signals
from resonance.replay import replay
from store.migrations import scripts, statements
from store.records import Signal, iso
from store.topic_hours import read_bins
from tests.resonance.filled import START, Filled, burst, usual

H, BIN = timedelta(hours=1), timedelta(minutes=15)
END = START + timedelta(days=8, hours=12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Filled]:
    filled = Filled(tmp_path / "t.sqlite")
    alerts = filled.settings.alerts.model_copy(update={"rules": (*RULES, POSITIVE)})
    filled.settings = filled.settings.model_copy(update={"alerts": alerts})
    filled.posts(*usual(START, END, 30, negative=0.4))  # 20% positive
    filled.observed(START, END)
    yield filled
    filled.close()


def happy_hour(filled: Filled) -> list[str]:
    """As many posts as usual, most of them positive."""
    times, labels = burst(END, 60, 40, "positive")
    labels[::4] = ["neutral"] * 10
    ids = filled.posts(times, labels, text="kopi 新作うれしい")
    filled.observed(END, END + H)
    filled.hours(END + H)
    return [i for i, label in zip(ids, labels, strict=True) if label == "positive"]


def told(filled: Filled) -> dict[str, Signal]:
    found = trend_signals(filled.store, filled.topic, END + H, rules_on(filled.settings))
    return {s.rule: s for s in found if s.active}


def test_a_joy_is_told_with_the_posts_that_show_it(store: Filled) -> None:
    glad = happy_hour(store)
    assert set(told(store)) == {POSITIVE}  # the volume is as usual
    signal = told(store)[POSITIVE]
    assert signal.subject == "kopi" and signal.severity == "info" and signal.facts["mood"] == "positive"
    assert signal.expected == pytest.approx(0.2, abs=0.08) and signal.observed > 0.6
    assert signal.evidence and {i for i, _ in signal.evidence} <= set(glad)
    assert signal.facts["positive"] >= len(glad) and any("新作" in word for word in signal.facts["words"])


@pytest.mark.parametrize(
    ("language", "title", "advice"),
    [("ja", "好意的な投稿が増えています", "喜びを分かち合い"), ("en", "Positive posts", "share in the joy")],
)
def test_the_message_is_a_chance_with_suggestions(store: Filled, language: str, title: str, advice: str) -> None:
    happy_hour(store)
    topic = store.topic.model_copy(update={"alert_language": language})
    settings = store.settings.model_copy(update={"topics": (topic,)})
    (change,) = apply(store.store, settings, list(told(store).values()), END + H)
    message = compose(settings, incident(store.store, change.incident_id), "opened", END + H)
    assert message.tone == "chance" and title in message.title
    assert advice in plain(message) and any(advice in line for line in message.advice)


def test_fewer_positive_posts_are_no_joy(store: Filled) -> None:
    store.posts(*burst(END, 60, 40, "neutral"))
    store.observed(END, END + H)
    store.hours(END + H)
    assert POSITIVE not in told(store)


def test_off_by_default(store: Filled) -> None:
    happy_hour(store)
    store.settings = store.settings.model_copy(update={"alerts": type(store.settings.alerts)()})
    assert rules_on(store.settings) == RULES
    assert POSITIVE not in {s.rule for s in signals(store.store, store.settings, END + H)}


def test_a_spike_of_volume_joins_a_joy_that_grows_no_graver(store: Filled) -> None:
    happy_hour(store)
    joy = told(store)[POSITIVE]
    spike = Signal("volume_spike", "kopi", "kopi", True, True, END, 90.0, 30.0, severity="info", facts={})
    apply(store.store, store.settings, [spike, joy], END + H)  # how people feel opens, whatever comes first
    found = store.store.query("SELECT rule, severity FROM incidents")
    assert [tuple(row) for row in found] == [(POSITIVE, "info")]
    assert "volume_spike" in incident(store.store, 1).facts["linked"]


def test_declared_bots_are_left_out_of_the_positive_ones(store: Filled) -> None:
    with store.store.write() as db:
        db.execute(
            "INSERT INTO accounts (id, network, bot, first_seen, observed_at) VALUES ('x:bot', 'x', 1, ?, ?)",
            (iso(START), iso(START)),
        )
    store.posts([END] * 3, ["positive", "positive", "negative"], author="x:bot")
    store.posts([END] * 2, ["positive", "neutral"])
    store.hours(END + H)
    bins = read_bins(store.store, "kopi", END, END + BIN, ["x"])
    assert (bins.posts, bins.scored, bins.negative, bins.positive) == ([2], [2], [0], [1])


def test_an_upgrade_sums_anew_the_hours_in_which_bots_were_scored(store: Filled) -> None:
    with store.store.write() as db:
        db.execute(
            "INSERT INTO accounts (id, network, bot, first_seen, observed_at) VALUES ('x:bot', 'x', 1, ?, ?)",
            (iso(START), iso(START)),
        )
    store.posts([END, END + 50 * BIN / 15], ["positive"] * 2, author="x:bot")
    store.hours(END + H)
    again = dict(scripts())["0008_positive"]
    with store.store.write() as db:
        db.execute("UPDATE topic_bins SET suspect_positive = 0")  # as the column comes
        before = db.execute("SELECT MAX(seq) FROM changes").fetchone()[0]
        db.execute(next(s for s in statements(again) if s.startswith("INSERT")))
        assert db.execute("SELECT COUNT(*) FROM changes WHERE seq > ?", (before,)).fetchone()[0] == 1  # one hour
    store.hours(END + H)
    assert read_bins(store.store, "kopi", END, END + H, ["x"]).positive == [0] * 4


def test_the_replay_raises_it_too_once_it_is_switched_on(store: Filled) -> None:
    happy_hour(store)
    store.posts(*usual(END + H, END + 2 * H, 30, negative=0.4))
    store.observed(END + H, END + 2 * H)
    found = replay(store.store, store.settings, store.settings.topics, END, END + 2 * H)
    assert [(r.rule, r.severity) for r in found.of("balanced")] == [(POSITIVE, "info")]
    store.settings = store.settings.model_copy(update={"alerts": type(store.settings.alerts)()})
    assert not replay(store.store, store.settings, store.settings.topics, END, END + 2 * H).of("balanced")
