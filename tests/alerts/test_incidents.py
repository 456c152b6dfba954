"""One thing that happens is one incident, told once."""

import json
import sqlite3
from datetime import timedelta

import numpy as np
import pytest

from alerts import people
from alerts.errors import NotPossible, UnknownIncident
from alerts.incidents import apply
from alerts.read import incident
from store.records import Signal, iso
from tests.alerts.alert_cases import NOW, add_post, settings_of, signal, surge


@pytest.fixture
def settings(slack, smtp):
    return settings_of(slack, smtp)


def minutes(n):
    return NOW + timedelta(minutes=n)


def kinds(changes):
    return [change.kind for change in changes]


def quiet(rule="volume_spike", **changes):
    return signal(rule, active=False, raised=False, **changes)


def deliveries(store):
    return [tuple(r) for r in store.query("SELECT incident_id, channel, kind, state FROM deliveries ORDER BY id")]


def test_opening_writes_incident_evidence_note_and_deliveries(store, settings):
    add_post(store, "x:1", "異物が入っていた")
    (change,) = apply(store, settings, [signal(evidence=(("x:1", 0.9), ("x:gone", 0.5)))], NOW)
    assert (change.kind, change.queued) == ("opened", 2)
    found = incident(store, change.incident_id)
    assert found.evidence[0].text == "異物が入っていた"
    assert (
        found.facts["observed"] == 48 and found.facts["words"] == ["限定", "行列"] and len(found.facts["series"]) == 96
    )
    assert [n["kind"] for n in found.notes] == ["opened"]
    assert deliveries(store) == [(1, "team", "opened", "queued"), (1, "mail", "opened", "queued")]


def test_applying_the_same_signals_again_tells_nothing_new(store, settings):
    apply(store, settings, [signal(), surge(topic="coffee", subject="other")], NOW)
    before = deliveries(store)
    assert set(kinds(apply(store, settings, [signal(), surge(subject="other")], NOW))) == {"updated"}
    assert deliveries(store) == before
    assert store.one("SELECT COUNT(*) FROM incident_notes") == 2


def test_a_failure_in_the_middle_leaves_nothing(store, settings):
    bad = signal("rising_user", subject="x:9", evidence=(("x:1", object()),))
    with pytest.raises(sqlite3.Error):
        apply(store, settings, [signal(), bad], NOW)
    assert store.one("SELECT COUNT(*) FROM incidents") == 0
    assert deliveries(store) == []


def test_whatever_the_detector_hands_over_sqlite_can_read_it(store, settings):
    facts = {"words": ["\ud800", "炎上"], "x": float("nan"), "numpy": np.float32(0.5), "when": NOW, "direction": "up"}
    apply(store, settings, [signal(high=float("inf"), expected=float("nan"), facts=facts)], NOW)
    apply(store, settings, [surge()], NOW)
    row = store.query("SELECT json_extract(facts, '$.numpy'), json_extract(facts, '$.high') FROM incidents")[0]
    assert tuple(row) == (0.5, None)
    assert incident(store, 1).facts["words"] == ["\ufffd", "炎上"]


def test_a_storm_is_taken_in_several_transactions_and_whole(store, settings):
    many = [signal("viral_cascade", subject=f"x:{n}", series=()) for n in range(120)]
    assert kinds(apply(store, settings, many, NOW)) == ["opened"] * 120
    assert kinds(apply(store, settings, [], minutes(6 * 60))) == ["resolved"] * 120


def test_updates_keep_the_peak_and_the_gravest_severity(store, settings):
    apply(store, settings, [signal(severity="critical", observed=90.0)], NOW)
    apply(store, settings, [signal(severity="info", observed=40.0)], minutes(10))
    found = incident(store, 1)
    assert found.severity == "critical"
    assert (found.facts["observed"], found.facts["peak"]) == (40.0, 90.0)


def test_it_ends_only_after_a_quiet_while(store, settings):
    apply(store, settings, [signal()], NOW)
    assert apply(store, settings, [quiet()], minutes(30)) == []
    apply(store, settings, [signal(raised=False)], minutes(45))
    assert apply(store, settings, [quiet()], minutes(100)) == []
    assert kinds(apply(store, settings, [quiet()], minutes(106))) == ["resolved"]


def test_the_end_is_told_only_where_the_beginning_was(store, settings):
    apply(store, settings, [signal()], NOW)
    with store.write() as db:
        db.execute("UPDATE deliveries SET state = 'sent' WHERE channel = 'team'")
    (change,) = apply(store, settings, [quiet()], minutes(120))
    assert change.queued == 1
    assert deliveries(store)[-1] == (1, "team", "resolved", "queued")


def test_back_within_the_cool_down_reopens_silently(store, settings):
    apply(store, settings, [signal()], NOW)
    apply(store, settings, [quiet()], minutes(90))
    before = deliveries(store)
    (change,) = apply(store, settings, [signal(began_at=minutes(200))], minutes(200))
    assert (change.kind, change.incident_id) == ("reopened", 1)
    assert deliveries(store) == before
    assert incident(store, 1).state == "open"


def test_back_after_the_cool_down_is_a_new_incident(store, settings):
    apply(store, settings, [signal()], NOW)
    apply(store, settings, [quiet()], minutes(90))
    (change,) = apply(store, settings, [signal(began_at=minutes(460))], minutes(460))
    assert (change.kind, change.incident_id, change.queued) == ("opened", 2, 2)


@pytest.mark.parametrize("raised", [True, False])
def test_what_a_person_ended_stays_ended_while_it_goes_on(store, settings, raised):
    apply(store, settings, [signal()], NOW)
    people.resolve(store, 1, "hanako", minutes(5), "known")
    for n in range(10, 900, 30):
        assert apply(store, settings, [signal(raised=raised)], minutes(n)) == []
    assert incident(store, 1).state == "resolved"
    assert kinds(apply(store, settings, [signal(began_at=minutes(960))], minutes(990))) == ["reopened"]


def test_what_the_detector_calls_fresh_evidence_counts(store, settings):
    began = NOW - timedelta(hours=9)
    assert kinds(apply(store, settings, [signal(began_at=began, evidence_at=minutes(-10))], NOW)) == ["opened"]
    old = signal("viral_cascade", subject="x:1", began_at=began, evidence_at=minutes(-300))
    assert kinds(apply(store, settings, [old], NOW)) == ["historic"]


def test_a_historic_incident_that_goes_on_is_not_told_later(store, settings):
    old = signal(began_at=NOW - timedelta(hours=9), evidence_at=minutes(-300))
    apply(store, settings, [old], NOW)
    again = signal(began_at=NOW - timedelta(hours=9), evidence_at=minutes(5))
    assert kinds(apply(store, settings, [again], minutes(10))) == ["updated"]
    assert deliveries(store) == []


def test_old_evidence_is_historic_and_never_sent(store, settings):
    add_post(store, "x:old", "昔の話", at=NOW - timedelta(hours=30))
    old = signal(began_at=NOW - timedelta(hours=31), evidence=(("x:old", 1.0),))
    (change,) = apply(store, settings, [old], NOW)
    assert (change.kind, change.queued) == ("historic", 0)
    assert deliveries(store) == []
    assert store.query("SELECT * FROM v_incidents_open") == []


def test_an_old_beginning_with_fresh_evidence_is_told(store, settings):
    add_post(store, "x:new", "いま", at=NOW - timedelta(minutes=10))
    fresh = signal(began_at=NOW - timedelta(hours=5), evidence=(("x:new", 1.0),))
    assert kinds(apply(store, settings, [fresh], NOW)) == ["opened"]


def test_a_new_beginning_after_a_historic_one_is_told(store, settings):
    apply(store, settings, [signal(began_at=NOW - timedelta(hours=31))], NOW)
    told = apply(store, settings, [signal(began_at=minutes(25))], minutes(30))
    assert kinds(told) == ["resolved", "opened"]
    assert told[-1].queued == 2


def test_a_silent_source_is_told_though_its_last_post_is_old(store, settings):
    silent = signal("silent_source", topic=None, subject="mstdn.jp", began_at=NOW - timedelta(hours=8))
    (change,) = apply(store, settings, [silent], NOW)
    assert (change.kind, change.queued) == ("opened", 2)


def test_a_surge_joins_the_spike_of_its_topic(store, settings):
    apply(store, settings, [signal()], NOW)
    (change,) = apply(store, settings, [surge(severity="warning")], minutes(30))
    assert (change.kind, change.incident_id, change.queued) == ("linked", 1, 0)
    found = incident(store, 1)
    assert found.severity == "critical"
    assert found.facts["linked"]["negative_surge"]["observed"] == 0.46
    assert "negative_surge" in found.notes[-1]["note"]
    assert len(deliveries(store)) == 2


def test_a_joined_surge_keeps_the_incident_alive_and_is_noted_once(store, settings):
    apply(store, settings, [signal()], NOW)
    for n in (30, 60, 90, 120):
        apply(store, settings, [quiet(), surge(raised=False)], minutes(n))
    found = incident(store, 1)
    assert found.state == "open"
    assert sum("joined" in n["note"] for n in found.notes) == 1
    assert kinds(apply(store, settings, [quiet(), surge(active=False)], minutes(200))) == ["resolved"]
    assert kinds(apply(store, settings, [surge()], minutes(220))) == ["reopened"]


def test_a_much_later_surge_and_a_dip_stand_alone(store, settings):
    apply(store, settings, [signal()], NOW)
    apply(store, settings, [signal(raised=False)], minutes(400))
    assert kinds(apply(store, settings, [surge(began_at=minutes(400))], minutes(400))) == ["opened"]


def test_a_dip_and_a_surge_are_two_things(store, settings):
    apply(store, settings, [signal(facts={"direction": "down"}, observed=0.0)], NOW)
    assert kinds(apply(store, settings, [surge()], minutes(10))) == ["opened"]


@pytest.mark.parametrize(
    ("topic", "rule", "until", "muted"),
    [
        (None, None, 60, True),
        ("coffee", "volume_spike", 60, True),
        ("coffee", "rising_user", 60, False),
        ("tea", None, 60, False),
        (None, None, -1, False),
    ],
)
def test_mutes_are_recorded_not_delivered(store, settings, topic, rule, until, muted):
    with store.write() as db:
        db.execute(
            "INSERT INTO mutes (topic, rule, until, created_at, by) VALUES (?, ?, ?, ?, 'hanako')",
            (topic, rule, iso(minutes(until)), iso(NOW)),
        )
    (change,) = apply(store, settings, [signal()], NOW)
    assert change.kind == "opened"
    assert (change.queued == 0) is muted
    assert ("muted" in incident(store, 1).notes[0]["note"]) is muted


def test_cascades_and_users_lapse_without_a_word_but_spikes_do_not(store, settings):
    apply(
        store, settings, [signal(), signal("viral_cascade", subject="x:1"), signal("rising_user", subject="x:a")], NOW
    )
    told = apply(store, settings, [], minutes(7 * 60))
    assert [(c.kind, c.rule) for c in told] == [("resolved", "viral_cascade")]
    told = apply(store, settings, [], minutes(25 * 60))
    assert {c.rule for c in told} == {"volume_spike", "rising_user"}


def test_rules_that_are_off_raise_nothing(store, slack):
    settings = settings_of(slack, extra='\n[alerts]\nrules = ["negative_surge"]\n')
    assert apply(store, settings, [signal()], NOW) == []


def test_a_topics_alerts_go_to_its_channels(store, slack, smtp):
    settings = settings_of(slack, smtp, topic='channels = ["mail"]')
    apply(store, settings, [signal()], NOW)
    assert [d[1] for d in deliveries(store)] == ["mail"]


def test_a_topic_that_is_gone_is_recorded_only(store, settings):
    (change,) = apply(store, settings, [signal(topic="tea", subject="tea")], NOW)
    assert (change.kind, change.queued) == ("opened", 0)


# ------------------------------------------------------------------ people
def test_acknowledging_and_its_limits(store, settings):
    apply(store, settings, [signal()], NOW)
    people.acknowledge(store, 1, "hanako\r\n", minutes(3))
    people.acknowledge(store, 1, "taro", minutes(4))
    found = incident(store, 1)
    assert (found.state, found.acknowledged_by) == ("acknowledged", "hanako")
    apply(store, settings, [signal(raised=False)], minutes(10))
    assert incident(store, 1).state == "acknowledged"
    people.resolve(store, 1, "hanako", minutes(20))
    with pytest.raises(NotPossible, match="already over"):
        people.acknowledge(store, 1, "taro", minutes(21))
    with pytest.raises(UnknownIncident, match="no incident 99"):
        people.acknowledge(store, 99, "taro", NOW)


def test_reopening_by_hand_but_never_two_of_a_kind(store, settings):
    apply(store, settings, [signal()], NOW)
    people.resolve(store, 1, "hanako", minutes(5))
    people.reopen(store, 1, "hanako", minutes(6))
    assert incident(store, 1).state == "open"
    people.resolve(store, 1, "hanako", minutes(7))
    apply(store, settings, [signal(began_at=minutes(600))], minutes(600))
    with pytest.raises(NotPossible, match="Incident 2"):
        people.reopen(store, 1, "hanako", minutes(601))


def test_feedback_counts_in_the_view_the_newest_word_last(store, settings):
    apply(store, settings, [signal()], NOW)
    people.feedback(store, 1, "helpful", "hanako", "", NOW)
    people.feedback(store, 1, "false_alarm", "hanako", "キャンペーンでした", minutes(1))
    row = store.query("SELECT * FROM v_rule_precision")[0]
    assert (row["incidents"], row["helpful"], row["false_alarms"], row["precision"]) == (1, 0, 1, 0.0)
    with pytest.raises(ValueError):
        people.feedback(store, 1, "maybe", "hanako", "", NOW)


def test_facts_stay_json_in_utf8(store, settings):
    apply(
        store, settings, [Signal("rising_user", "coffee", "x:1", True, True, NOW, 71.0, facts={"account": "花子"})], NOW
    )
    raw = store.one("SELECT facts FROM incidents")
    assert "花子" in raw and json.loads(raw)["observed"] == 71.0
