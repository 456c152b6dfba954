"""What nobody takes is told to somebody else, once, and not when it was taken, ended or muted."""

from datetime import timedelta

import pytest

from alerts import mutes, people
from alerts.escalation import escalate
from alerts.incidents import apply
from alerts.outbox import deliver
from tests.alerts.alert_cases import NOW, bot_settings, signal

KEYS = 'escalate_after_minutes = 15\nescalate_to = "mail"'


def minutes(n):
    return NOW + timedelta(minutes=n)


@pytest.fixture
def settings(slack, smtp):
    return bot_settings(slack, smtp=smtp, channel=KEYS, topic='channels = ["team"]')


def told(smtp):
    return [m.parsed() for m in smtp.messages]


def test_what_nobody_takes_is_told_to_the_next_channel_once(store, settings, slack, smtp):
    apply(store, settings, [signal(series=(), severity="critical")], NOW)
    for n in (0, 14, 15, 16, 60, 600):
        deliver(store, settings, minutes(n))
        assert len(smtp.messages) == (n >= 15)
    (mail,) = told(smtp)
    assert mail["Subject"].startswith("[未対応][重大] ") and mail["Importance"] == "high"
    body = mail.get_body(("plain",)).get_content()
    assert "15分、まだ担当者が決まっていません" in body and "投稿が急に増えています" in body
    assert "resonance alerts ack 1" in body
    assert store.one("SELECT COUNT(*) FROM incident_notes WHERE note LIKE '%mail is told%'") == 1


def test_the_channel_it_was_escalated_to_hears_of_the_end_in_the_same_thread(store, settings, smtp):
    apply(store, settings, [signal(series=())], NOW)
    for n in (0, 20):
        deliver(store, settings, minutes(n))
    apply(store, settings, [signal(active=False)], minutes(90))
    deliver(store, settings, minutes(90))
    escalated, over = told(smtp)
    assert over["References"] == escalated["References"] and "戻りました" in over.get_body(("plain",)).get_content()


@pytest.mark.parametrize("done", ["acknowledged", "resolved", "muted", "not yet sent"])
def test_no_need_to_escalate(store, settings, smtp, done):
    apply(store, settings, [signal(series=())], NOW)
    if done != "not yet sent":
        deliver(store, settings, NOW)
    if done == "acknowledged":
        people.acknowledge(store, 1, "hanako", minutes(10))
    elif done == "resolved":
        people.resolve(store, 1, "hanako", minutes(10))
    elif done == "muted":
        mutes.mute(store, "coffee", None, minutes(300), "hanako", "", minutes(10))
    assert escalate(store, settings, minutes(20)) == 0
    deliver(store, settings, minutes(20))
    assert smtp.messages == []


def test_quiet_hours_of_the_other_channel_hold_it_back_unless_it_is_critical(store, slack, smtp):
    keys = KEYS + '\n[[channels]]\ntype = "email"\nname = "late"\nhost = "h"\nsender = "a@b"\nrecipients = ["a@b"]\n'
    keys += 'quiet_hours = ["18:00-19:00"]\n'  # 18:30 in Tokyo is NOW
    settings = bot_settings(slack, channel=keys.replace('to = "mail"', 'to = "late"'), topic='channels = ["team"]')
    grave = signal("viral_cascade", subject="x:1", series=(), severity="critical")
    apply(store, settings, [signal(series=()), grave], NOW)
    deliver(store, settings, NOW)
    assert escalate(store, settings, minutes(15)) == 2
    held = store.query("SELECT incident_id, held, not_before FROM deliveries WHERE channel = 'late' ORDER BY id")
    assert [tuple(r) for r in held] == [(1, 1, "2026-11-22T10:00:00Z"), (2, 0, "2026-11-22T09:45:00Z")]


def test_a_storm_that_nobody_takes_is_escalated_in_few_messages(store, settings, smtp):
    apply(store, settings, [signal("viral_cascade", subject=f"x:{n}", series=()) for n in range(40)], NOW)
    deliver(store, settings, NOW)
    for n in (15, 20, 40):
        deliver(store, settings, minutes(n))
    assert len(smtp.messages) <= settings.alerts.max_per_hour + 1
    bodies = "".join(m.get_body(("plain",)).get_content() for m in told(smtp))
    assert [n for n in range(1, 41) if f"#{n} " not in bodies and f"ack {n}\n" not in bodies.replace("\r", "")] == []
