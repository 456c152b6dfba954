"""Communities that fall silent or turn sour: off by default, groups only, only what may be compared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from resonance.pipeline.detect import signals
from resonance.pipeline.detectors.communities import RULES, changed, community_signals
from resonance.replay import replay
from store.records import Rule, Signal, iso
from tests.resonance.filled import LABELS, START, Filled

WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
NOW = START + 5 * WEEK + timedelta(minutes=20)
GROUP, OTHERS = 24, 60


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Filled]:
    filled = Filled(tmp_path / "t.sqlite")
    yield filled
    filled.close()


def lived(
    filled: Filled, group_last: float = 1.0, others_last: float = 1.0, sour: float = 0.2, others_sour: float = 0.2
) -> None:
    """Five weeks in which everybody posts five times a week; in the last one so many still do, so negatively."""
    rng = np.random.default_rng(3)
    for n in range(GROUP + OTHERS):
        inside = n < GROUP
        times: list[datetime] = []
        labels: list[str | None] = []
        for week in range(5):
            last = week == 4
            if last and rng.random() >= (group_last if inside else others_last):
                continue
            share = (sour if inside else others_sour) if last else 0.2
            times += [START + week * WEEK + float(h) * HOUR for h in np.sort(rng.uniform(0, 167, 5))]
            labels += [LABELS[i] for i in rng.choice(3, 5, p=[share, (1 - share) / 2, (1 - share) / 2])]
        filled.posts(times, labels, author=f"x:p{n}")
    filled.observed(START, NOW)
    analysed(filled, START + 4 * WEEK - HOUR)


def analysed(filled: Filled, at: datetime) -> None:
    with filled.store.write() as db:
        run = db.execute(
            "INSERT INTO runs (kind, topic, state, started_at, finished_at, window_from, window_to, parameters, seed, "
            "versions) VALUES ('graph', 'kopi', 'done', ?, ?, ?, ?, '{}', 1, '{}')",
            (iso(at),) * 4,
        ).lastrowid
        for name, label in (("c1", "latte people"), ("c2", "bean people")):
            db.execute(
                "INSERT INTO communities (run_id, community, level, size, label, hashtags, words, languages, central) "
                "VALUES (?, ?, 'coarse', 10, ?, '[]', '[]', '{}', '[]')",
                (run, name, label),
            )
        db.executemany(
            "INSERT INTO memberships VALUES (?, ?, ?, 'f')",
            [(run, f"x:p{n}", "c1" if n < GROUP else "c2") for n in range(GROUP + OTHERS)],
        )


def told(filled: Filled, now: datetime = NOW) -> list[Signal]:
    return changed(filled.store, filled.topic, now, list(RULES))


def with_rules(filled: Filled, *rules: Rule) -> Filled:
    alerts = filled.settings.alerts.model_copy(update={"rules": (*filled.settings.alerts.rules, *rules)})
    filled.settings = filled.settings.model_copy(update={"alerts": alerts})
    return filled


def test_steady_weeks_are_silent(store: Filled) -> None:
    lived(store)
    assert told(store) == []


def test_a_community_whose_regulars_stay_away_is_told_by_its_name(store: Filled) -> None:
    lived(store, group_last=0.1)
    (signal,) = told(store)
    assert (signal.rule, signal.subject, signal.severity) == ("community_quiet", "c1", "info")
    assert signal.observed <= 6 and signal.expected is not None and signal.expected > 18
    assert signal.facts["communities"] == ["latte people"] and signal.facts["members"] == GROUP
    assert signal.evidence == () and signal.began_at == START + 4 * WEEK
    assert "x:p" not in str(signal.facts)  # nobody is named


def test_a_holiday_of_everybody_is_no_silence(store: Filled) -> None:
    lived(store, group_last=0.1, others_last=0.1)
    assert told(store) == []


def test_a_community_that_turns_sour_is_told_with_posts_of_many(store: Filled) -> None:
    lived(store, sour=0.75)
    (signal,) = told(store)
    assert (signal.rule, signal.subject, signal.severity) == ("community_sour", "c1", "warning")
    assert signal.observed > 0.45 and signal.expected is not None and signal.expected < 0.3
    authors = [store.store.one("SELECT author_id FROM posts WHERE id = ?", (i,)) for i, _ in signal.evidence]
    assert len(authors) == len(set(authors)) == 8


def test_news_that_anger_everybody_are_left_to_the_surge(store: Filled) -> None:
    lived(store, sour=0.6, others_sour=0.6)
    assert told(store) == []


def test_one_loud_person_is_not_a_community(store: Filled) -> None:
    lived(store)
    times = [START + 4 * WEEK + timedelta(minutes=10 * i) for i in range(300)]
    store.posts(times, ["negative"] * 300, author="x:p1")
    assert told(store) == []


def test_both_are_off_by_default_and_on_by_name(store: Filled) -> None:
    lived(store, group_last=0.1)
    assert community_signals(store.store, store.settings, store.topic, NOW) == []
    assert not any(s.rule in RULES for s in signals(store.store, store.settings, NOW))
    with_rules(store, "community_sour")
    assert community_signals(store.store, store.settings, store.topic, NOW) == []
    with_rules(store, "community_quiet")
    assert [s.rule for s in signals(store.store, store.settings, NOW) if s.rule in RULES] == ["community_quiet"]


@pytest.mark.parametrize("hindrance", ["query", "archive", "hole", "no_run", "young_run"])
def test_what_cannot_be_compared_is_not_told(store: Filled, hindrance: str) -> None:
    lived(store, group_last=0.1)
    statement = {
        "query": f"UPDATE topics SET changed_at = '{iso(START + WEEK)}'",
        "archive": "UPDATE posts SET imported = 1 WHERE id = 'x:7'",
        "hole": "DELETE FROM observations",
        "no_run": "UPDATE runs SET state = 'failed'",
        "young_run": f"UPDATE runs SET finished_at = '{iso(NOW - WEEK + HOUR)}'",
    }[hindrance]
    with store.store.write() as db:
        db.execute(statement)
    if hindrance == "hole":
        store.observed(START + WEEK, NOW)
    assert told(store) == []


def test_posts_that_become_known_later_change_nothing_then(store: Filled) -> None:
    lived(store, group_last=0.1)
    late = [START + 4 * WEEK + n * HOUR for n in range(GROUP)]
    for n, at in enumerate(late):
        store.posts([at], ["neutral"], author=f"x:p{n}", seen=[NOW + HOUR])
    assert [s.rule for s in told(store)] == ["community_quiet"]
    store.observed(NOW, NOW + 2 * HOUR)
    assert told(store, NOW + 2 * HOUR) == []


def test_the_replay_tells_it_when_it_would_have_been_told(store: Filled) -> None:
    lived(store, group_last=0.1)
    until = NOW + timedelta(minutes=10)
    for rules, expected in (((), set()), (("community_quiet",), {("community_quiet", "c1")})):
        with_rules(store, *rules)
        found = replay(store.store, store.settings, store.settings.topics, NOW - 20 * HOUR, until, step=HOUR)
        told_then = [r for r in found.of("balanced") if r.rule in RULES]
        assert {(r.rule, r.subject) for r in told_then} == expected
        assert all(told(store, r.raised_at) and not told(store, r.raised_at - HOUR) for r in told_then)
