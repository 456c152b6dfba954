"""Nothing is told twice, nothing is lost silently, and no channel waits for another."""

import os
import signal as signals
import sqlite3
import subprocess
import sys
import textwrap
import threading
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from alerts import outbox
from alerts.errors import UnknownDelivery
from alerts.incidents import apply
from alerts.outbox import deliver, resend
from alerts.sample import send_test
from sandbox.receivers import SlackReceiver
from store.db import Store
from store.migrations import scripts, statements
from tests.alerts.alert_cases import NOW, settings_of, signal, surge
from tests.alerts.test_slack import http, peer

HOUR = timedelta(hours=1)


def rows(store, *columns):
    return [tuple(r) for r in store.query(f"SELECT {', '.join(columns)} FROM deliveries ORDER BY id")]


def many(count, start=0, **changes):
    return [signal("viral_cascade", subject=f"x:{start + n}", **changes) for n in range(count)]


def plain(count=1, start=0):
    """Signals without a chart, so that nothing is drawn."""
    return many(count, start, series=())


def test_queued_becomes_sent_once(store, slack, smtp):
    settings = settings_of(slack, smtp)
    apply(store, settings, plain(), NOW)
    first, second = (deliver(store, settings, NOW) for _ in range(2))
    assert (first.sent, first.waiting, second.sent) == (2, 0, 0)
    assert (len(slack.messages), len(smtp.messages)) == (1, 1)
    assert {r[0] for r in rows(store, "state")} == {"sent"}
    refs = dict(rows(store, "channel", "peer_ref"))
    assert refs["mail"].startswith("<incident-1-")


def test_sending_is_committed_and_no_transaction_is_open_during_the_call(store, tmp_path):
    seen = []

    class Spy:
        def __init__(self):
            self.other = Store.open(tmp_path / "r.sqlite")

        def look(self):
            with self.other.write():
                seen.append(self.other.one("SELECT state FROM deliveries"))

    spy = Spy()
    settings = settings_of(url="http://127.0.0.1:9/x")
    apply(store, settings, plain(), NOW)
    outbox_pass = outbox._Pass(store, settings, NOW, None)
    outbox_pass._next(settings.channels[0])
    spy.look()
    outbox_pass.run(10)
    spy.other.close()
    assert seen == ["sending"]
    assert rows(store, "state") == [("queued",)]


def test_what_a_dead_process_left_is_maybe_sent_and_never_repeated(store, slack):
    settings = settings_of(slack)
    apply(store, settings, plain(), NOW)
    with store.write() as db:
        db.execute("UPDATE deliveries SET state = 'sending', attempts = 1")
    for n in range(3):
        deliver(store, settings, NOW + n * HOUR)
    assert rows(store, "state") == [("maybe_sent",)]
    assert slack.messages == []
    resend(store, 1, NOW + HOUR)
    deliver(store, settings, NOW + HOUR)
    assert rows(store, "state") == [("sent",)] and len(slack.messages) == 1
    with pytest.raises(UnknownDelivery, match="maybe-sent"):
        resend(store, 1, NOW)


def test_retry_after_is_honoured_for_the_whole_channel_without_sleeping(store):
    with peer(http(429, b"rate_limited", b"Retry-After: 90")) as (url, requests):
        settings = settings_of(url=url)
        apply(store, settings, plain(3), NOW)
        assert deliver(store, settings, NOW).waiting == 3
        deliver(store, settings, NOW + timedelta(seconds=89))
        assert len(requests) == 1
        deliver(store, settings, NOW + timedelta(seconds=92))
        assert len(requests) == 2


def test_an_outage_backs_off_and_everything_arrives_in_order_after_it(store, slack):
    down = settings_of(url="http://127.0.0.1:9/x")
    apply(store, down, plain(4), NOW)
    moments = []
    for n in range(240):
        at = NOW + timedelta(seconds=30 * n)
        before = store.one("SELECT SUM(attempts) FROM deliveries")
        deliver(store, down, at)
        if store.one("SELECT SUM(attempts) FROM deliveries") > before:
            moments.append(30 * n)
    gaps = [b - a for a, b in pairwise(moments)]
    assert gaps == sorted(gaps) and gaps[0] <= 60 and gaps[-1] >= 1500
    deliver(store, settings_of(slack), NOW + 4 * HOUR)
    assert [r[0] for r in rows(store, "state")] == ["sent"] * 4
    footers = [m.payload["blocks"][-1]["elements"][0]["text"] for m in slack.messages]
    assert all(f"#{n}" in footer for n, footer in enumerate(footers, 1)) and len(footers) == 4


def test_what_cannot_be_told_within_a_day_is_given_up(store, slack):
    apply(store, settings_of(url="http://127.0.0.1:9/x"), plain(), NOW)
    assert deliver(store, settings_of(slack), NOW + 25 * HOUR).failed == 1
    assert slack.messages == []
    assert "24 hours" in rows(store, "error")[0][0]


def test_a_channel_that_left_the_configuration_fails_its_queue(store, slack, smtp):
    apply(store, settings_of(slack, smtp), plain(), NOW)
    assert deliver(store, settings_of(slack), NOW).failed == 1
    assert dict(rows(store, "channel", "state")) == {"team": "sent", "mail": "failed"}


@pytest.mark.parametrize(("status", "state"), [(404, "failed"), (400, "failed"), (504, "maybe_sent")])
def test_final_answers_are_recorded_with_a_sentence(store, status, state):
    with peer(http(status, b"no_service")) as (url, requests):
        settings = settings_of(url=url)
        apply(store, settings, plain(), NOW)
        for n in range(3):
            deliver(store, settings, NOW + n * HOUR)
        assert len(requests) == 1
    ((told, error),) = rows(store, "state", "error")
    assert told == state and "Slack" in error and "secret" not in error


# ------------------------------------------------------------------ channels on their own
def test_a_channel_that_hangs_delays_no_other_and_is_settled_later(store, smtp):
    hold = threading.Event()
    with peer(None, hold=hold) as (url, requests):
        settings = settings_of(smtp=smtp, url=url, timeout=60)
        for start in (0, 50):
            apply(store, settings, plain(3, start), NOW)
            before = len(smtp.messages)
            for _ in range(60):
                told = deliver(store, settings, NOW, patience=0.3)
                if told.busy == ["team"]:
                    break
            assert told.busy == ["team"] and len(smtp.messages) == before + 3
        hold.set()
        stop = threading.Event()
        stop.set()
        assert deliver(store, settings, NOW, stop=stop, patience=30.0).maybe_sent == 1
    states = [r[0] for r in store.query("SELECT state FROM deliveries WHERE channel = 'team' ORDER BY id")]
    assert states == ["maybe_sent"] + ["queued"] * 5
    assert len(requests) == 1


def test_one_channel_refused_the_other_served(store, smtp):
    settings = settings_of(smtp=smtp, url="http://127.0.0.1:9/x")
    apply(store, settings, plain(5), NOW)
    told = deliver(store, settings, NOW)
    assert told.sent == 5 and len(smtp.messages) == 5


def test_stop_begins_no_further_call(store, slack):
    settings = settings_of(slack)
    apply(store, settings, plain(3), NOW)
    stop = threading.Event()
    stop.set()
    assert deliver(store, settings, NOW, stop=stop).sent == 0
    assert [r[0] for r in rows(store, "state")] == ["queued"] * 3


# ------------------------------------------------------------------ storms
def test_two_hundred_incidents_in_an_hour_are_all_told_in_few_messages(store, slack, smtp):
    settings = settings_of(slack, smtp)
    for n in range(20):
        apply(store, settings, plain(10, start=10 * n), NOW + timedelta(minutes=3 * n))
        deliver(store, settings, NOW + timedelta(minutes=3 * n))
    assert len(slack.messages) <= settings.alerts.max_per_hour + 1
    deliver(store, settings, NOW + 2 * HOUR)
    assert len(slack.messages) <= 2 * settings.alerts.max_per_hour
    text = str([m.payload for m in slack.messages])
    assert [n for n in range(1, 201) if f"#{n} " not in text and f"ack {n}'" not in text] == []
    states = dict(store.query("SELECT state, COUNT(*) FROM deliveries WHERE kind = 'opened' GROUP BY state"))
    assert set(states) == {"sent", "rolled_up"} and sum(states.values()) == 400
    assert len(smtp.messages) == len(slack.messages)


def test_at_the_limit_every_incident_has_its_own_message(store, slack):
    settings = settings_of(slack)
    apply(store, settings, plain(12), NOW)
    assert deliver(store, settings, NOW).rolled_up == 0
    assert len(slack.messages) == 12


def test_in_a_storm_the_gravest_keep_their_own_message(store, slack):
    settings = settings_of(slack)
    apply(store, settings, [*plain(40), *many(1, 90, severity="critical", series=())], NOW)
    deliver(store, settings, NOW)
    grave = store.one(
        "SELECT d.state FROM deliveries d JOIN incidents i ON i.id = d.incident_id WHERE severity = 'critical'"
    )
    assert grave == "sent"
    assert "41 " not in str(slack.messages[-1].payload["text"])


def test_a_roll_up_that_is_refused_can_be_sent_again(store, slack):
    with peer(http(404, b"no_service")) as (url, _):
        settings = settings_of(url=url, extra="\n[alerts]\nmax_per_hour = 1\n")
        apply(store, settings, plain(5), NOW)
        deliver(store, settings, NOW)
    rollup = store.one("SELECT id FROM deliveries WHERE kind = 'rollup' AND state = 'failed'")
    resend(store, rollup, NOW)
    deliver(store, settings_of(slack), NOW)
    assert len(slack.messages) == 1 and "5件" in slack.messages[0].payload["text"]


# ------------------------------------------------------------------ crashes
CRASH = """
import sys, os, signal
sys.path.insert(0, {root!r})
from pathlib import Path
from datetime import timedelta
from alerts import outbox, send, slack
from store.db import Store
from store.migrations import scripts, statements
from tests.alerts.alert_cases import NOW, settings_of

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

point = sys.argv[1]
if point == "before_commit":
    outbox._Pass._within_limit = die
elif point == "after_commit":
    outbox.start = die
elif point == "before_call":
    slack._post = die
elif point == "after_call":
    outbox._Pass._record = die
store = Store.open({path!r})
outbox.deliver(store, settings_of(url=sys.argv[2]), NOW)
"""


@pytest.mark.parametrize(
    ("point", "received", "state"),
    [
        ("before_commit", 0, "queued"),
        ("after_commit", 0, "maybe_sent"),
        ("before_call", 0, "maybe_sent"),
        ("after_call", 1, "maybe_sent"),
    ],
)
def test_killed_between_any_two_steps_the_peer_gets_it_at_most_once(store, tmp_path, point, received, state):
    with SlackReceiver(lambda: NOW) as slack:
        settings = settings_of(slack)
        apply(store, settings, plain(), NOW)
        root = str(Path(__file__).parents[2])
        code = textwrap.dedent(CRASH).format(root=root, path=str(tmp_path / "r.sqlite"))
        ended = subprocess.run([sys.executable, "-c", code, point, slack.webhook_url], env={**os.environ}, timeout=60)
        assert ended.returncode == -signals.SIGKILL
        assert len(slack.messages) == received
        deliver(store, settings, NOW)
        if state == "queued":
            assert len(slack.messages) == 1 and rows(store, "state") == [("sent",)]
        else:
            assert len(slack.messages) == received and rows(store, "state") == [(state,)]


# ------------------------------------------------------------------ test messages
def test_the_sample_goes_to_every_channel_and_says_what_happened(slack, smtp):
    good = send_test(settings_of(slack, smtp), NOW)
    assert [(r.channel, r.ok) for r in good] == [("team", True), ("mail", True)]
    assert smtp.messages[0].parsed()["Subject"].startswith("[テスト]")
    bad = send_test(settings_of(smtp=smtp, url="http://127.0.0.1:9/x"), NOW)
    assert [(r.channel, r.ok) for r in bad] == [("team", False), ("mail", True)]
    assert "not reachable" in bad[0].detail


def test_the_end_goes_out_in_the_same_thread(store, smtp):
    settings = settings_of(smtp=smtp)
    apply(store, settings, [surge(series=())], NOW)
    deliver(store, settings, NOW)
    apply(store, settings, [surge(active=False)], NOW + 2 * HOUR)
    deliver(store, settings, NOW + 2 * HOUR)
    opened, over = (m.parsed() for m in smtp.messages)
    assert over["References"] == opened["Message-ID"]
    assert over["Subject"] == "Re: " + opened["Subject"]
    assert "収束しました" in over.get_body(("plain",)).get_content()


def test_updates_a_comeback_and_every_end_go_into_the_emails_thread(store, smtp):
    settings = settings_of(smtp=smtp)
    apply(store, settings, [signal(series=())], NOW)
    deliver(store, settings, NOW)
    steps = [(4, {"severity": "critical"}), (70, {"active": False}), (200, {}), (300, {"active": False})]
    for at, changes in steps:
        apply(store, settings, [signal(series=(), **changes)], NOW + timedelta(minutes=at))
        deliver(store, settings, NOW + timedelta(minutes=at))
    mails = [m.parsed() for m in smtp.messages]
    assert len(mails) == 5
    root = mails[0]
    assert root["References"] is None and root["Subject"].startswith("[注意] ")
    assert {m["References"] for m in mails[1:]} == {m["In-Reply-To"] for m in mails[1:]} == {root["Message-ID"]}
    assert {m["Subject"] for m in mails[1:]} == {"Re: " + root["Subject"]}
    assert len({m["Message-ID"] for m in mails}) == 5
    bodies = [m.get_body(("plain",)).get_content() for m in mails]
    assert "重大度が「重大」に上がりました" in bodies[1] and "ふたたび動きが出ています" in bodies[3]
    assert "戻りました" in bodies[2] and "戻りました" in bodies[4]


def test_a_webhook_has_no_threads_and_hears_of_the_beginning_the_gravest_and_the_end(store, slack):
    settings = settings_of(slack)
    steps = [{"severity": "info"}, {"severity": "warning"}, {"severity": "critical"}, {"severity": "warning"}]
    steps += [{"severity": "critical"}, *[{"active": False}] * 16, {}, *[{"active": False}] * 16]
    for n, changes in enumerate(steps):
        apply(store, settings, [signal(series=(), **changes)], NOW + timedelta(minutes=5 * n))
        deliver(store, settings, NOW + timedelta(minutes=5 * n))
    assert [r[0] for r in rows(store, "kind")] == ["opened", "update", "resolved"]
    texts = [m.payload["text"] for m in slack.messages]
    assert len(texts) == 3 and texts[0].startswith("[参考] ")
    assert texts[1].startswith("[重大] 重大度が「重大」に上がりました") and "鳴海珈琲" in str(slack.messages[1].payload)


def test_an_older_files_deliveries_are_kept_whole():
    older = sqlite3.connect(":memory:")
    *before, (name, script) = scripts()[:3]
    for _, step in before:
        for statement in statements(step):
            older.execute(statement)
    older.execute(
        "INSERT INTO deliveries (id, incident_id, channel, kind, state, attempts, created_at, not_before, sent_at, "
        "peer_ref, error, rolled_into) VALUES (7, 3, 'team', 'opened', 'maybe_sent', 2, 'a', 'b', 'c', 'd', 'e', 9)"
    )
    for statement in statements(script):
        older.execute(statement)
    assert name == "0003_deliveries"
    columns = "id, incident_id, channel, kind, note_id, about, state, attempts, asked, held, created_at, not_before"
    assert older.execute(f"SELECT {columns}, sent_at, peer_ref, error, rolled_into FROM deliveries").fetchall() == [
        (7, 3, "team", "opened", 0, "", "maybe_sent", 2, 0, 0, "a", "b", "c", "d", "e", 9)
    ]
    indexes = {row[0] for row in older.execute("SELECT name FROM sqlite_master WHERE tbl_name = 'deliveries'")}
    assert {"deliveries_once", "deliveries_digest", "deliveries_state"} <= indexes
    assert older.execute("SELECT name FROM sqlite_master WHERE name = 'deliveries_before'").fetchone() is None
    older.close()
