"""Shares of emotions: maintained sums, one signal an emotion, off by default, silent without a model that has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from resonance.pipeline.detectors.trend import emotion_signals
from resonance.pipeline.hours import update_hours
from resonance.replay import replay
from store.emotion_bins import posts_showing, read_emotion
from store.records import Signal, iso
from store.topic_hours import ModelKey
from tests.resonance.filled import START, Filled, burst, usual

H, BIN = timedelta(hours=1), timedelta(minutes=15)
END = START + timedelta(days=8, hours=12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Filled]:
    filled = Filled(tmp_path / "t.sqlite")
    alerts = filled.settings.alerts.model_copy(update={"rules": ("emotion_surge",), "emotions": ("anger", "fear")})
    filled.settings = filled.settings.model_copy(update={"alerts": alerts})
    yield filled
    filled.close()


def feeling(filled: Filled, ids: list[str], anger: list[float], fear: float = 0.1) -> None:
    with filled.store.write() as db:
        db.executemany(
            "UPDATE sentiments SET emotions = ? WHERE post_id = ?",
            [(json.dumps({"anger": a, "fear": fear}), i) for i, a in zip(ids, anger, strict=True)],
        )
        db.executemany("INSERT INTO changes (kind, subject) VALUES ('sentiment', ?)", [(i,) for i in ids])


def calm_days(filled: Filled, emotions: bool = True) -> None:
    ids = filled.posts(*usual(START, END, 30))
    if emotions:
        feeling(filled, ids, np.where(np.random.default_rng(0).random(len(ids)) < 0.15, 0.8, 0.1).tolist())
    filled.observed(START, END)
    filled.hours(END)


def angry_hour(filled: Filled) -> tuple[list[str], datetime]:
    ids = filled.posts(*burst(END, 60, 30), text="kopi 返金して")
    feeling(filled, ids, [0.9 if n % 5 else 0.2 for n in range(30)])
    filled.observed(END, END + H)
    filled.hours(END + H)
    return ids, END + H


def told(filled: Filled, now: datetime) -> list[Signal]:
    return emotion_signals(filled.store, filled.settings, filled.topic, now)


def test_an_emotion_that_rises_is_told_with_the_posts_that_show_it(store: Filled) -> None:
    calm_days(store)
    ids, now = angry_hour(store)
    by = {s.subject: s for s in told(store, now)}
    assert {subject: s.active for subject, s in by.items()} == {"kopi:anger": True, "kopi:fear": False}
    signal = by["kopi:anger"]
    assert signal.rule == "emotion_surge" and signal.facts["emotion"] == "anger"
    assert signal.expected == pytest.approx(0.15, abs=0.06) and signal.observed > 0.5
    assert {i for i, _ in signal.evidence} <= {i for n, i in enumerate(ids) if n % 5}
    assert any("返金" in word for word in signal.facts["words"])


def test_the_replay_raises_it_from_what_was_known(store: Filled) -> None:
    calm_days(store)
    ids, now = angry_hour(store)
    store.posts(*usual(now, now + H, 30))
    store.observed(now, now + H)
    given = (store.store, store.settings, store.settings.topics, END, now + H)
    (raised,) = replay(*given).of("balanced")
    assert (raised.rule, raised.subject) == ("emotion_surge", "kopi:anger")
    assert raised.observed > 0.3 and END < raised.raised_at <= now + H
    with store.store.write() as db:
        db.executemany("UPDATE posts SET first_seen = ? WHERE id = ?", [(iso(now + 9 * H), i) for i in ids])
    assert not replay(*given).of("high")
    assert not any("emotions" in note for note in replay(*given).notes)


def test_the_replay_says_that_a_model_has_no_emotions(store: Filled) -> None:
    calm_days(store, emotions=False)
    found = replay(store.store, store.settings, store.settings.topics, END - H, END)
    assert not found.raised and any("nothing of emotions" in note for note in found.notes)


def test_calm_days_are_judged_and_silent(store: Filled) -> None:
    calm_days(store)
    found = told(store, END)
    assert len(found) == 2 and not any(s.active for s in found)


def test_a_model_without_emotions_says_nothing(store: Filled) -> None:
    calm_days(store, emotions=False)
    assert told(store, END) == []
    assert store.store.one("SELECT COUNT(*) FROM topic_emotion_bins") == 0


def test_off_by_default(store: Filled) -> None:
    calm_days(store)
    _, now = angry_hour(store)
    alerts = type(store.settings.alerts)()
    store.settings = store.settings.model_copy(update={"alerts": alerts})
    assert told(store, now) == []


def test_the_sums_are_those_of_the_posts(store: Filled) -> None:
    ids = store.posts([END, END + 14 * BIN / 15, END + BIN, END + H], ["neutral"] * 4)
    feeling(store, ids, [0.5, 0.49, 0.9, 0.7])
    store.posts([END], ["neutral"], own=True)
    store.hours(END + 2 * H)
    seen = read_emotion(store.store, "kopi", "anger", [END + i * BIN for i in range(5)], ["x"])
    assert (seen.posts, seen.scored) == ([1, 1, 0, 0, 1], [2, 1, 0, 0, 1])
    assert read_emotion(store.store, "kopi", "anger", [END], ["mastodon"]).scored == [0]
    assert posts_showing(store.store, "kopi", "anger", END, END + H) == {ids[0], ids[2]}


def test_declared_bots_are_left_out(store: Filled) -> None:
    with store.store.write() as db:
        db.execute(
            "INSERT INTO accounts (id, network, bot, first_seen, observed_at) VALUES ('x:bot', 'x', 1, ?, ?)",
            (iso(START), iso(START)),
        )
    feeling(store, store.posts([END, END], ["neutral"] * 2, author="x:bot"), [0.9, 0.9])
    feeling(store, store.posts([END], ["neutral"]), [0.9])
    store.hours(END + H)
    assert read_emotion(store.store, "kopi", "anger", [END], ["x"]).scored == [1]


def test_hours_written_again_are_counted_once_and_by_the_model_in_use(store: Filled) -> None:
    ids = store.posts([END], ["neutral"])
    feeling(store, ids, [0.9])
    store.hours(END + H)
    feeling(store, ids, [0.9])
    store.hours(END + H)
    assert read_emotion(store.store, "kopi", "anger", [END], ["x"]).scored == [1]
    update_hours(store.store, store.settings, ModelKey("other", "1"), lambda *_: None, END + H)
    assert read_emotion(store.store, "kopi", "anger", [END], ["x"]).scored == [0]
