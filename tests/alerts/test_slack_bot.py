"""A bot tells an incident in one thread, keeps its first message current, and asks Slack what it does not know."""

import json
import signal as signals
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from alerts import people, slack_bot
from alerts.check import check_channels
from alerts.incidents import apply
from alerts.outbox import deliver, resend
from alerts.outcome import parts_done
from alerts.sample import send_test
from config import ConfigError, parse
from sandbox.receivers import SLACK_TOKEN, SlackReceiver
from store.removal import purge_posts
from tests.alerts.alert_cases import NOW, add_post, bot_settings, signal, surge
from tests.alerts.test_slack import http, peer


def minutes(n):
    return NOW + timedelta(minutes=n)


def states(store, *kinds):
    rows = store.query("SELECT kind, state FROM deliveries ORDER BY id")
    return [tuple(r) for r in rows if not kinds or r["kind"] in kinds]


def words(message):
    return json.dumps(message.payload["blocks"], ensure_ascii=False)


def threads(slack):
    roots = [m for m in slack.messages if not m.payload.get("thread_ts")]
    return roots, [m for m in slack.messages if m.payload.get("thread_ts")]


# ------------------------------------------------------------------ one incident, one thread
def test_an_incident_is_one_thread_and_its_first_message_is_current(store, slack):
    settings = bot_settings(slack)
    apply(store, settings, [signal()], NOW)
    assert deliver(store, settings, NOW).sent == 2
    (root,), (chart,) = threads(slack)
    assert root.channel == "C0TEAM" and chart.payload["thread_ts"] == root.ts
    (file,) = slack.files.values()
    assert file.data.startswith(b"\x89PNG") and file.channel == "C0TEAM" and "鳴海珈琲" in file.title

    apply(store, settings, [signal(severity="critical", observed=90.0)], minutes(4))
    deliver(store, settings, minutes(4))
    graver = slack.messages[-1]
    assert graver.payload["thread_ts"] == root.ts and "重大度が「重大」に上がりました" in words(graver)
    assert root.versions == 1, "not more often than every ten minutes"

    people.acknowledge(store, 1, "花子", minutes(5))
    deliver(store, settings, minutes(5))
    assert "花子 さんが対応を始めました" in words(slack.messages[-1])
    assert root.versions == 2 and "重大｜" in words(root) and "花子 さんが対応中です" in words(root)

    apply(store, settings, [signal(active=False)], minutes(70))
    deliver(store, settings, minutes(90))
    assert "ふだんの範囲に戻りました" in words(slack.messages[-1])
    assert slack.messages[-1].payload["thread_ts"] == root.ts
    assert "収束｜" in words(root)
    roots, _ = threads(slack)
    assert len(roots) == 1 and slack.refused == []
    assert {state for _, state in states(store)} == {"sent"}


def test_it_reopens_and_ends_again_in_the_same_thread(store, slack):
    settings = bot_settings(slack)
    apply(store, settings, [signal(series=())], NOW)
    deliver(store, settings, NOW)
    for at, active in ((90, False), (200, True), (300, False)):
        apply(store, settings, [signal(active=active, raised=active, began_at=minutes(at), series=())], minutes(at))
        deliver(store, settings, minutes(at + 11))
    (root,), replies = threads(slack)
    told = [words(m) for m in replies]
    assert ["戻りました" in t for t in told] == [True, False, True] and "ふたたび動き" in told[1]
    assert "収束｜" in words(root)


def test_quiet_updates_refresh_at_most_every_ten_minutes_and_say_nothing(store, slack):
    settings = bot_settings(slack)
    apply(store, settings, [signal(series=())], NOW)
    deliver(store, settings, NOW)
    for n in range(2, 60, 2):
        apply(store, settings, [signal(observed=48.0 + n, series=())], minutes(n))
        deliver(store, settings, minutes(n))
    assert len(slack.messages) == 1
    assert 4 <= slack.messages[0].versions <= 6
    assert "96件" in words(slack.messages[0])


def test_a_second_signal_of_the_same_event_is_told_in_the_thread(store, slack):
    settings = bot_settings(slack)
    apply(store, settings, [signal(series=())], NOW)
    deliver(store, settings, NOW)
    apply(store, settings, [surge(series=())], minutes(3))
    deliver(store, settings, minutes(3))
    _, replies = threads(slack)
    assert len(replies) == 1 and "関連する変化が重なっています" in words(replies[0])


def test_a_removed_post_leaves_the_messages_that_show_it(store, slack):
    settings = bot_settings(slack)
    add_post(store, "x:1", "消される投稿")
    add_post(store, "x:2", "残る投稿", author="taro")
    apply(store, settings, [signal(series=(), evidence=(("x:1", 1.0), ("x:2", 0.5)))], NOW)
    deliver(store, settings, NOW)
    assert "消される投稿" in words(slack.messages[0])
    with store.write() as db:
        assert purge_posts(db, ["x:1"], "deleted", minutes(1)) == 1
    for n in (2, 3, 4):
        deliver(store, settings, minutes(n))
    assert "消される投稿" not in words(slack.messages[0]) and "残る投稿" in words(slack.messages[0])
    assert slack.messages[0].versions == 2, "once is enough"


def test_every_message_carries_the_key_of_its_delivery(store, slack):
    settings = bot_settings(slack)
    apply(store, settings, [signal(series=()), signal("rising_user", subject="x:1", series=())], NOW)
    deliver(store, settings, NOW)
    keys = {m.payload["metadata"]["event_payload"]["key"] for m in slack.messages}
    assert len(keys) == 2
    assert {m.payload["metadata"]["event_type"] for m in slack.messages} == {slack_bot.EVENT}


def test_buttons_stand_only_where_somebody_hears_them(store, slack):
    settings = bot_settings(slack, channel='app_token = "xapp-1"')
    apply(store, settings, [signal(series=())], NOW)
    deliver(store, settings, NOW)
    (block,) = [b for b in slack.messages[0].payload["blocks"] if b["type"] == "actions"]
    assert [e["action_id"] for e in block["elements"]] == [
        "resonance_ack",
        "resonance_helpful",
        "resonance_false_alarm",
    ]
    assert "resonance alerts ack" not in words(slack.messages[0])


# ------------------------------------------------------------------ nobody knows
@pytest.mark.parametrize("taken", [True, False])
def test_what_may_have_arrived_is_settled_by_asking(store, slack, taken):
    settings = bot_settings(slack)
    apply(store, settings, [signal(series=())], NOW)
    if taken:
        deliver(store, settings, NOW)
        with store.write() as db:
            db.execute("UPDATE deliveries SET state = 'maybe_sent', peer_ref = NULL")
    else:
        with peer(http(504, b"gateway")) as (url, _):
            assert deliver(store, bot_settings(slack, api=url.rpartition("/services")[0]), NOW).maybe_sent == 1
    deliver(store, settings, NOW)
    assert states(store) == [("opened", "maybe_sent")], "Slack is given a minute"
    deliver(store, settings, minutes(2))
    assert states(store) == [("opened", "sent")]
    assert len(slack.messages) == 1
    apply(store, settings, [signal(severity="critical", series=())], minutes(3))
    deliver(store, settings, minutes(3))
    assert slack.messages[1].payload["thread_ts"] == slack.messages[0].ts


@pytest.mark.parametrize("taken", [True, False])
def test_a_reply_or_chart_that_may_have_arrived_is_asked_for_in_the_thread(store, slack, taken):
    settings = bot_settings(slack)
    apply(store, settings, [signal()], NOW)
    deliver(store, settings, NOW)
    apply(store, settings, [signal(severity="critical")], minutes(1))
    if taken:
        deliver(store, settings, minutes(1))
    with store.write() as db:
        db.execute("UPDATE deliveries SET state = 'maybe_sent', peer_ref = NULL WHERE kind IN ('update', 'chart')")
    before = len(slack.messages)
    for n in (3, 4):
        deliver(store, settings, minutes(n))
    assert set(states(store, "update", "chart")) == {("update", "sent"), ("chart", "sent")}
    assert len(slack.messages) == before + (not taken)


def test_without_leave_to_read_the_history_it_stays_unsettled_for_a_person(store):
    with SlackReceiver(lambda: NOW, scopes=("chat:write", "files:write")) as slack:
        settings = bot_settings(slack)
        apply(store, settings, [signal(series=())], NOW)
        with store.write() as db:
            db.execute("UPDATE deliveries SET state = 'sending', attempts = 1")
        for n in range(0, 600, 10):
            deliver(store, settings, minutes(n))
        assert states(store) == [("opened", "maybe_sent")] and slack.messages == []
        assert "channels:history" in store.one("SELECT error FROM deliveries")
        assert len(slack.refused) == 5
        resend(store, 1, minutes(600))
        deliver(store, settings, minutes(600))
        assert len(slack.messages) == 1


def test_a_message_in_parts_goes_on_where_it_broke(slack):
    (channel,) = bot_settings(slack).channels
    bodies = [{"text": f"part {n}", "blocks": [{"type": "divider"}]} for n in range(3)]
    whole = slack_bot.send(channel, bodies[:2], "k")
    assert slack_bot.arrived(channel, NOW, key="k", parts=2).state == "sent"
    asked = slack_bot.arrived(channel, NOW, key="k", parts=3)
    assert (asked.state, asked.parts, asked.ref) == ("retry", 2, whole.ref)
    assert asked.kept == f"parts:2 {whole.ref}" and parts_done(asked.kept) == 2
    root = slack_bot.ref_of(asked.kept)
    assert slack_bot.send(channel, bodies, "k", root=root, done=2).state == "sent"
    assert [m.payload["text"] for m in slack.messages] == ["part 0", "part 1", "part 2"]
    assert {m.payload.get("thread_ts") for m in slack.messages} == {None, root.ts}
    assert slack_bot.arrived(channel, NOW, key="other").state == "retry"


CRASH = """
import os, signal, sys
sys.path.insert(0, {root!r})
from alerts import outbox
from store.db import Store
from tests.alerts.alert_cases import NOW, bot_settings

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

kind = {{"after_call": "opened", "after_chart": "chart"}}[sys.argv[1]]
original = outbox._Pass._record
outbox._Pass._record = lambda self, row, outcome: die() if row.kind == kind else original(self, row, outcome)
outbox.deliver(Store.open({path!r}), bot_settings(None, api={api!r}), NOW)
"""


@pytest.mark.parametrize("point", ["after_call", "after_chart"])
def test_killed_before_the_answer_is_recorded_all_of_it_arrives_once_in_the_end(store, tmp_path, slack, point):
    settings = bot_settings(slack)
    apply(store, settings, [signal()], NOW)
    code = textwrap.dedent(CRASH).format(
        root=str(Path(__file__).parents[2]), path=str(tmp_path / "r.sqlite"), api=slack.api_url
    )
    ended = subprocess.run([sys.executable, "-c", code, point], timeout=60)
    assert ended.returncode == -signals.SIGKILL
    for n in (1, 3, 5, 7):
        deliver(store, settings, minutes(n))
    assert states(store) == [("opened", "sent"), ("chart", "sent")]
    roots, replies = threads(slack)
    assert (len(roots), len(replies)) == (1, 1)


# ------------------------------------------------------------------ what the answers mean
@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        (http(429, b'{"ok":false,"error":"ratelimited"}', b"Retry-After: 7"), "retry", "ratelimited"),
        (http(200, b'{"ok":false,"error":"channel_not_found"}'), "failed", "invite the app"),
        (http(200, b'{"ok":false,"error":"token_revoked"}'), "failed", "bot_token"),
        (http(200, b'{"ok":false,"error":"missing_scope","needed":"chat:write"}'), "failed", "chat:write"),
        (http(200, b'{"ok":false,"error":"fatal_error"}'), "maybe_sent", "fatal_error"),
        (http(200, b'{"ok":false,"error":"service_unavailable"}'), "retry", "service_unavailable"),
        (http(503, b"down"), "retry", "503"),
        (http(502, b"<html>"), "maybe_sent", "502"),
        (b"", "maybe_sent", "connection"),
    ],
)
def test_each_answer_has_one_meaning(answer, state, told):
    with peer(answer) as (url, requests):
        (channel,) = bot_settings(None, api=url.rpartition("/services")[0]).channels
        outcome = slack_bot.send(channel, [{"text": "x"}], "k")
        assert (outcome.state, len(requests)) == (state, 1)
        assert told in outcome.detail and SLACK_TOKEN not in outcome.detail
        assert outcome.retry_after == (7 if b"429" in answer else None)
        current = slack_bot.update(channel, slack_bot.Ref("C", "1.2"), {"text": "x"}, "k")
        assert current.state == ("retry" if state == "maybe_sent" else state)


def test_nobody_listening_is_certainly_not_taken():
    (channel,) = bot_settings(None, api="http://127.0.0.1:9/api/").channels
    assert slack_bot.send(channel, [{"text": "x"}], "k").state == "retry"
    assert slack_bot.arrived(channel, NOW, key="k").state == "maybe_sent"


# ------------------------------------------------------------------ check and configuration
def test_check_says_who_we_are_and_which_scopes_are_missing(slack):
    (fine,) = check_channels(bot_settings(slack))
    assert fine.ok and "C0TEAM" in fine.detail and slack.messages == []
    with SlackReceiver(lambda: NOW, scopes=("chat:write",)) as poor:
        (told,) = check_channels(bot_settings(poor))
    assert (told.ok, told.exit_code) == (False, 77)
    assert "files:write" in told.detail and "channels:history" in told.detail and "chat:write," not in told.detail
    slack.revoked = True
    (revoked,) = check_channels(bot_settings(slack))
    assert (revoked.ok, revoked.exit_code) == (False, 77) and SLACK_TOKEN not in str(revoked)
    (absent,) = check_channels(bot_settings(None, api="http://127.0.0.1:9/api/"))
    assert (absent.ok, absent.exit_code) == (False, 1) and "api_url" in absent.remedy


def test_a_missing_token_names_the_environment_variable(monkeypatch):
    monkeypatch.delenv("SLACK_BOT_TOKEN", raising=False)
    text = '[[channels]]\ntype = "slack"\nname = "t"\nbot_token = "env:SLACK_BOT_TOKEN"\nchannel = "C1"\n'
    (told,) = check_channels(parse(text))
    assert told.exit_code == 78 and "SLACK_BOT_TOKEN" in told.remedy


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("", "exactly one"),
        ('webhook_url = "https://h/x"\nbot_token = "t"\nchannel = "C1"', "exactly one"),
        ('bot_token = "t"', "channel"),
        ('webhook_url = "https://h/x"\nchannel = "C1"', "belong to bot_token"),
        ('bot_token = "t"\nchannel = "#general"', "channel"),
    ],
)
def test_one_way_to_slack_and_no_other(keys, told):
    with pytest.raises(ConfigError, match=told):
        parse(f'[[channels]]\ntype = "slack"\nname = "t"\n{keys}\n')


def test_the_sample_reaches_a_bots_channel(slack):
    (result,) = send_test(bot_settings(slack), NOW)
    assert result.ok and slack.messages[0].channel == "C0TEAM"
