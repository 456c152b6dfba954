"""Answers move thresholds: in small steps, within bounds, once for each incident, and back again."""

from datetime import timedelta
from math import exp, log

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import people, thresholds
from alerts.errors import NotPossible
from alerts.incidents import apply
from alerts.thresholds import DOWN, FADE_AFTER, HIGHEST, LOWEST, UP, factor, fade
from resonance.cycle import alert_job
from store.db import Store
from tests.alerts.alert_cases import NOW, settings_of, signal


def incidents(store, count, rule="viral_cascade", **changes):
    apply(store, settings_of(), [signal(rule, subject=f"x:{n}", series=(), **changes) for n in range(count)], NOW)


def answer(store, incident_id, verdict, by="hanako", at=NOW):
    return people.feedback(store, incident_id, verdict, by, "", at).moved


def now(store):
    return factor(store, "coffee", "viral_cascade")


def test_without_answers_nothing_is_changed(store):
    assert factor(store, "coffee", "volume_spike") == 1.0
    assert thresholds.listed(store) == []


def test_a_false_alarm_raises_it_and_three_helpful_alerts_bring_it_back(store):
    incidents(store, 4)
    moved = answer(store, 1, "false_alarm")
    assert (moved.before, moved.after) == (1.0, pytest.approx(exp(UP), abs=1e-4))
    assert now(store) == moved.after
    for n in (2, 3, 4):
        answer(store, n, "helpful")
    assert now(store) == pytest.approx(1.0, abs=2e-4)
    assert factor(store, "coffee", "volume_spike") == factor(store, "tea", "viral_cascade") == 1.0


def test_an_incident_counts_once_by_the_newest_word(store):
    incidents(store, 1)
    first = answer(store, 1, "false_alarm").after
    assert answer(store, 1, "false_alarm", by="taro") is None and now(store) == first
    answer(store, 1, "helpful")
    assert now(store) == pytest.approx(exp(-DOWN), abs=2e-4)
    answer(store, 1, "false_alarm")
    assert now(store) == pytest.approx(first, abs=2e-4)


def test_sources_and_history_move_nothing(store):
    apply(store, settings_of(), [signal("silent_source", topic=None, subject="x", series=())], NOW)
    incidents(store, 1)
    with store.write() as db:
        db.execute("UPDATE incidents SET historic = 1 WHERE id = 2")
    assert answer(store, 1, "false_alarm") is None and answer(store, 2, "false_alarm") is None
    assert thresholds.listed(store) == []


def test_it_is_taken_back_with_what_followed_and_not_counted_again(store):
    incidents(store, 3)
    for n in (1, 2, 3):
        answer(store, n, "false_alarm")
    before = thresholds.listed(store)[1]["before"]
    moved = thresholds.revert(store, 2, NOW)
    assert moved.after == now(store) == before
    assert [row["id"] for row in thresholds.listed(store)] == [1]
    assert [bool(row["reverted_at"]) for row in thresholds.listed(store, everything=True)] == [True, True, False]
    answer(store, 2, "helpful")
    assert now(store) == pytest.approx(before * exp(-DOWN), abs=2e-4), (
        "the step that was taken back is not undone twice"
    )
    with pytest.raises(NotPossible, match="no change 2"):
        thresholds.revert(store, 2, NOW)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["helpful", "false_alarm"])), max_size=25))
def test_it_stays_within_bounds_whatever_is_said(tmp_path_factory, answers):
    store = Store.open(tmp_path_factory.mktemp("t") / "r.sqlite")
    try:
        incidents(store, 12)
        for incident_id, verdict in answers:
            answer(store, incident_id, verdict)
            assert LOWEST <= now(store) <= HIGHEST
        for row in reversed(thresholds.listed(store)):
            if store.one("SELECT reverted_at FROM threshold_changes WHERE id = ?", (row["id"],)) is None:
                thresholds.revert(store, row["id"], NOW)
        assert now(store) == 1.0
    finally:
        store.close()


def test_it_ends_at_the_bounds(store):
    incidents(store, 12)
    for n in range(1, 13):
        answer(store, n, "false_alarm")
    assert now(store) == HIGHEST
    with store.write() as db:
        db.execute("UPDATE threshold_changes SET after = 9.0")
    assert now(store) == HIGHEST, "a hand in the database cannot exceed them either"


def later(times, days=0):
    return NOW + times * FADE_AFTER + timedelta(days=days)


@pytest.mark.parametrize(("verdict", "count"), [("false_alarm", 12), ("helpful", 9)])
def test_what_nobody_speaks_about_fades_by_half_a_month_until_it_is_gone(store, verdict, count):
    incidents(store, count)
    for n in range(1, count + 1):
        answer(store, n, verdict)
    start = log(now(store))
    assert fade(store, later(1, days=-1)) == [] and log(now(store)) == start, "not before a month has passed"
    (moved,) = fade(store, later(1))
    assert log(moved.after) == pytest.approx(start / 2, abs=2e-4)
    assert fade(store, later(1)) == [], "once a month"
    for times in range(2, 8):
        fade(store, later(times))
    assert now(store) == 1.0 and fade(store, later(9)) == []
    reasons = {row["reason"] for row in thresholds.listed(store) if row["reason"].startswith("faded")}
    assert reasons == {"faded: no answer for 30 days"}, "every step is shown"


def test_an_answer_ends_the_rest_and_a_fading_can_be_taken_back(store):
    incidents(store, 3)
    answer(store, 1, "false_alarm")
    before = now(store)
    (moved,) = fade(store, later(1))
    thresholds.revert(store, moved.change, later(1))
    assert now(store) == before
    assert fade(store, later(1, days=29)) == [], "taking it back is a word too"
    answer(store, 2, "helpful", at=later(1, days=29))
    assert fade(store, later(2)) == []


def test_a_changed_mind_takes_back_no_more_than_is_left(store):
    incidents(store, 1)
    answer(store, 1, "false_alarm")
    fade(store, later(1))
    answer(store, 1, "helpful", at=later(1, days=1))
    assert now(store) == pytest.approx(exp(-DOWN), abs=2e-4)


def test_a_topic_fades_by_itself(store):
    incidents(store, 1)
    apply(store, settings_of(), [signal("volume_spike")], NOW)
    answer(store, 1, "false_alarm")
    answer(store, 2, "false_alarm", at=later(0, days=20))
    assert [moved.rule for moved in fade(store, later(1))] == ["viral_cascade"]


def test_the_alert_job_lets_them_fade(store):
    incidents(store, 1)
    answer(store, 1, "false_alarm")
    alert_job(store, settings_of(), later(1))
    assert thresholds.listed(store)[0]["reason"].startswith("faded")
