"""What the pages on faults promise, from the queue to the peer, on a simulated clock: docs/operations.md names each."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.incidents import apply
from alerts.outbox import GIVE_UP, deliver
from sandbox.receivers import SlackReceiver, SmtpReceiver
from tests.alerts.alert_cases import NOW, bot_settings, settings_of, signal

STEP = timedelta(seconds=30)
ROOT = Path(__file__).parents[2]


class Clock:
    """A moment that is stepped."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now

    def passes(self, store, settings, length):
        """Deliver every 30 seconds, as the daemon does."""
        end = self.now + length
        while self.now < end:
            yield deliver(store, settings, self.now)
            self.now += STEP


class Greylisting(SmtpReceiver):
    """Refuses everything for its first five minutes by the clock, as greylisting does with strangers."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.tries = clock, 0

    def receive(self, envelope):
        self.tries += 1
        if self.clock() < NOW + timedelta(minutes=5):
            return "451 4.7.1 Greylisted, please try again later"
        return super().receive(envelope)


def cascades(count, **changes):
    return [signal("viral_cascade", subject=f"x:{n}", series=(), **changes) for n in range(count)]


def test_greylisting_is_waited_out_and_everything_arrives_once_in_order(store):
    clock = Clock()
    with Greylisting(clock) as smtp:
        settings = settings_of(smtp=smtp)
        apply(store, settings, cascades(3), NOW)
        list(clock.passes(store, settings, timedelta(minutes=15)))
        subjects = [mail.parsed()["Subject"] for mail in smtp.messages]
        assert [re.search(r"#(\d+)", subject)[1] for subject in subjects] == ["1", "2", "3"]
        assert smtp.tries < 10, "it does not knock every 30 seconds"
    assert dict(store.query("SELECT state, COUNT(*) FROM deliveries GROUP BY state")) == {"sent": 3}


def test_a_mailbox_that_refuses_is_told_once_and_stops_nothing(store, smtp):
    settings = settings_of(smtp=smtp)
    smtp.replies.append("550 5.1.1 no such user")
    apply(store, settings, cascades(2), NOW)
    for _ in Clock().passes(store, settings, timedelta(minutes=5)):
        pass
    told = store.query("SELECT state, attempts, error FROM deliveries ORDER BY id")
    assert [(row["state"], row["attempts"]) for row in told] == [("failed", 1), ("sent", 1)]
    assert "550" in told[0]["error"]


@pytest.mark.parametrize("by_bot", [False, True], ids=["webhook", "bot"])
def test_two_thousand_incidents_at_once_are_recorded_told_and_rolled_up_within_slacks_pace(store, by_bot):
    clock = Clock()
    with SlackReceiver(clock, paced=True) as slack:
        settings = (bot_settings if by_bot else settings_of)(slack)
        apply(store, settings, cascades(2000), NOW)
        assert store.one("SELECT COUNT(*) FROM incidents") == 2000
        for done in clock.passes(store, settings, timedelta(hours=3)):
            if done.waiting == 0:
                break
        states = dict(store.query("SELECT state, COUNT(*) FROM deliveries WHERE kind = 'opened' GROUP BY state"))
        assert set(states) == {"sent", "rolled_up"} and sum(states.values()) == 2000
        assert states["sent"] < settings.alerts.max_per_hour
        told = str([m.payload for m in slack.messages])
        numbers = {int(n) for n in re.findall(r"#(\d+)\b", told)}
        assert set(range(1, 2001)) <= numbers, "every incident is named"
        assert {code for _, code in slack.refused} <= {"rate_limited", "ratelimited"}, "nothing was too large"
        assert slack.refused, "the peer did limit"
        keys = Counter(str(m.payload["blocks"]) for m in slack.messages)
        assert max(keys.values()) == 1, "no part arrived twice"
        assert clock.now - NOW < timedelta(minutes=30)


def test_a_storm_keeps_the_order_of_each_incident(store):
    clock = Clock()
    with SlackReceiver(clock, paced=True) as slack:
        settings = bot_settings(slack)
        apply(store, settings, cascades(40), NOW)
        list(clock.passes(store, settings, timedelta(minutes=10)))
        apply(store, settings, cascades(40, severity="critical"), clock.now)
        list(clock.passes(store, settings, timedelta(hours=2)))
    assert store.one("SELECT COUNT(*) FROM deliveries WHERE state IN ('queued', 'sending')") == 0
    roots = {m.ts: n for n, m in enumerate(slack.messages)}
    replies = [(n, m.payload["thread_ts"]) for n, m in enumerate(slack.messages) if m.payload.get("thread_ts")]
    assert replies and all(roots[root] < n for n, root in replies)


def test_what_no_channel_takes_for_a_day_is_given_up_and_said(store):
    settings = settings_of(url="http://127.0.0.1:9/services/T/B/secret")
    apply(store, settings, cascades(1), NOW)
    deliver(store, settings, NOW)
    deliver(store, settings, NOW + GIVE_UP + STEP)
    (row,) = store.query("SELECT state, error FROM deliveries")
    assert row["state"] == "failed" and "given up after 24 hours" in row["error"] and "secret" not in row["error"]


def test_every_row_of_the_table_names_a_test_that_is_there():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 25
    for path, function in named:
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8") if function else (ROOT / path).exists()
