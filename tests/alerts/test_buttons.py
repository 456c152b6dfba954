"""Buttons under a Slack message: heard over Socket Mode, stored once, believed only where they belong."""

import gc
import json
from datetime import timedelta

import pytest

from alerts.buttons import Buttons, press
from alerts.check import check_channels
from alerts.incidents import apply
from alerts.outbox import deliver
from alerts.read import incident
from resonance.cycle import buttons_job
from sandbox.receivers import SLACK_APP_TOKEN
from tests.alerts.alert_cases import NOW, bot_settings, signal

TOKEN = f'app_token = "{SLACK_APP_TOKEN}"'

# slack_sdk leaves the socket of a connection that Slack ended to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def told(store, slack):
    """An incident that a Slack channel was told, and its settings."""
    settings = bot_settings(slack, channel=TOKEN)
    apply(store, settings, [signal(series=())], NOW)
    deliver(store, settings, NOW)
    return settings


@pytest.fixture
def listening(store, told):
    buttons = Buttons(store, told, lambda: NOW + timedelta(minutes=5))
    assert buttons.keep() == []
    yield buttons
    buttons.close()
    gc.collect()


def button(slack, name):
    """The action id and value of a button of the first message."""
    (block,) = [b for b in slack.messages[0].payload["blocks"] if b["type"] == "actions"]
    return next((e["action_id"], e["value"]) for e in block["elements"] if e["action_id"].endswith(name))


def interaction(action, value, *, channel="C0TEAM", kind="block_actions", user=None):
    who = {"id": "U1", "name": "花子"} if user is None else user
    return {"type": kind, "user": who, "channel": {"id": channel}, "actions": [{"action_id": action, "value": value}]}


def test_a_press_travels_from_slack_to_the_thread(store, slack, told, listening):
    assert slack.socket.wait(connections=1)
    slack.socket.press(*button(slack, "_ack"), channel="C0TEAM", user="hanako", envelope="e-1")
    assert slack.socket.wait(answers=1)
    assert slack.socket.answers == [{"envelope_id": "e-1"}]
    found = incident(store, 1)
    assert (found.state, found.acknowledged_by, found.acknowledged_at) == (
        "acknowledged", "hanako", NOW + timedelta(minutes=5),
    )  # fmt: skip
    deliver(store, told, NOW + timedelta(minutes=6))
    (root, reply) = slack.messages
    assert reply.payload["thread_ts"] == root.ts and "hanako さんが対応を始めました" in json.dumps(
        reply.payload["blocks"], ensure_ascii=False
    )
    assert "resonance_ack" not in json.dumps(root.payload["blocks"]), "it is taken: no button to take it"


def test_a_false_alarm_is_noted_moves_the_threshold_and_is_seen_by_the_others(store, slack, told, listening):
    assert slack.socket.wait(connections=1)
    for n in (1, 2):
        slack.socket.press(*button(slack, "false_alarm"), channel="C0TEAM", envelope=f"e-{n}")
        assert slack.socket.wait(answers=n)
    assert store.query("SELECT by, verdict FROM feedback")[0][:] == ("hanako", "false_alarm")
    assert store.one("SELECT COUNT(*) FROM feedback") == store.one("SELECT COUNT(*) FROM threshold_changes") == 1
    deliver(store, told, NOW + timedelta(minutes=6))
    assert "「誤報だった」との回答" in json.dumps(slack.messages[-1].payload["blocks"], ensure_ascii=False)


def test_after_slack_hangs_up_it_listens_again(store, slack, told, listening):
    assert slack.socket.wait(connections=1)
    slack.socket.hang_up()
    assert slack.socket.wait(connections=2)
    assert listening.keep() == []
    slack.socket.press(*button(slack, "helpful"), channel="C0TEAM")
    assert slack.socket.wait(answers=1)
    assert store.one("SELECT verdict FROM feedback") == "helpful"


def test_what_cannot_be_connected_is_the_jobs_error_without_secrets(store, slack):
    settings = bot_settings(slack, channel='app_token = "xapp-wrong-secret"')
    buttons = Buttons(store, settings, lambda: NOW)
    job = buttons_job(store, buttons, NOW)
    buttons.close()
    assert job.exit_code == 1 and "invalid_auth" in job.error and "app_token" in job.error
    assert "wrong-secret" not in job.error
    nobody = Buttons(store, bot_settings(slack, channel=TOKEN, api="http://127.0.0.1:9/api/"), lambda: NOW)
    assert "URLError" in nobody.keep()[0]
    nobody.close()


def test_check_tries_the_app_token(slack):
    (fine,) = check_channels(bot_settings(slack, channel=TOKEN))
    assert fine.ok
    (deaf,) = check_channels(bot_settings(slack, channel='app_token = "xapp-wrong-secret"'))
    assert (deaf.ok, deaf.exit_code) == (False, 77)
    assert "Socket Mode" in deaf.detail and "connections:write" in deaf.remedy and "wrong-secret" not in str(deaf)


def test_one_connection_serves_channels_that_share_an_app(slack):
    again = TOKEN + '\n[[channels]]\ntype = "slack"\nname = "b"\nbot_token = "t"\nchannel = "C2"\n' + TOKEN
    assert [c.name for c in Buttons.wanted(bot_settings(slack, channel=again))] == ["team"]
    assert Buttons.wanted(bot_settings(slack)) == []


# ------------------------------------------------------------------ what is believed
def test_only_our_buttons_on_our_incidents_from_our_channel_count(store, slack, told):
    ack, value = button(slack, "_ack")
    strange = [
        interaction(ack, value, channel="C0OTHER"),
        interaction(ack, value, kind="view_submission"),
        interaction("other_app_ack", value),
        interaction(ack, "1 incident-1-00000000"),
        interaction(ack, value.replace("1 ", "2 ", 1)),
        interaction(ack, "9" * 400 + " x"),
        interaction(ack, ""),
        interaction("resonance_delete", value),
        {"type": "block_actions", "channel": None, "user": None, "actions": None},
        {},
    ]
    assert [press(store, told, payload, NOW) for payload in strange] == [0] * len(strange)
    assert incident(store, 1).state == "open" and store.one("SELECT COUNT(*) FROM incident_notes") == 1
    assert press(store, told, interaction(ack, value), NOW) == 1
    assert press(store, told, interaction(ack, value), NOW) == 0


def test_a_mind_may_change_and_a_strange_name_stays_one_line(store, slack, told):
    value = button(slack, "helpful")[1]
    eve = {"id": "U2", "name": "eve\n<!channel>\x1b"}
    told_by = [
        press(store, told, interaction(f"resonance_{verdict}", value, user=eve), NOW)
        for verdict in ("helpful", "false_alarm", "false_alarm", "helpful")
    ]
    assert told_by == [1, 1, 0, 1]
    assert {row["by"] for row in store.query("SELECT by FROM feedback")} == {"eve <!channel>"}


def test_an_incident_that_is_over_can_still_be_judged(store, slack, told):
    ack, value = button(slack, "_ack")
    with store.write() as db:
        db.execute("UPDATE incidents SET state = 'resolved'")
    assert press(store, told, interaction(ack, value), NOW) == 0
    assert press(store, told, interaction("resonance_helpful", value), NOW) == 1
