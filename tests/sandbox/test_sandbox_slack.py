"""The Slack receiver, through slack_sdk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError

from sandbox.faults import Fault, FaultPlan
from sandbox.receivers import SLACK_TOKEN, SlackReceiver
from sandbox.slack_rules import refusal
from tests.sandbox.sandbox_tools import Clock


def section(text: str = "hello") -> dict:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def slack(tmp_path: Path, faults: FaultPlan) -> Iterator[SlackReceiver]:
    with SlackReceiver(Clock(), faults, tmp_path / "slack", channels=("C1", "webhook")) as receiver:
        yield receiver


@pytest.fixture
def client(slack: SlackReceiver) -> WebClient:
    return WebClient(SLACK_TOKEN, base_url=slack.api_url, retry_handlers=[])


def test_webhook_keeps_the_message_and_writes_it(slack: SlackReceiver) -> None:
    answer = WebhookClient(slack.webhook_url).send(text="炎上", blocks=[section("炎上の兆し")])
    assert (answer.status_code, answer.body) == (200, "ok")
    [message] = slack.messages
    assert message.payload["blocks"][0]["text"]["text"] == "炎上の兆し"
    assert slack.folder is not None
    written = json.loads((slack.folder / "message-001.json").read_text(encoding="utf-8"))
    assert written["payload"] == message.payload


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": 5}, "no_text"),
        ({"blocks": "x"}, "invalid_blocks_format"),
        ({"blocks": [section()] * 51}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "fields": [section()["text"]] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "marquee"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
        ({"blocks": [{"type": "image", "image_url": "https://example.org/a.png"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "image", "image_url": "javascript:1", "alt_text": "x"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "actions", "elements": [{"type": "blink"}]}]}, "invalid_blocks"),
        ({"blocks": [{**section(), "block_id": "a"}, {**section(), "block_id": "a"}]}, "invalid_blocks"),
        ({"blocks": [section("x" * 3000)] * 5}, "msg_blocks_too_long"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_format"),
    ],
)
def test_what_slack_refuses(payload: dict, code: str) -> None:
    refused = refusal(payload)
    assert refused is not None
    assert refused[0] == code
    assert code != "invalid_blocks" or "json-pointer:/blocks" in refused[1][0]


def test_what_slack_accepts_at_its_limits() -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "x" * 75}, "url": "https://example.org"}
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 150}},
        {**section("x" * 3000), "accessory": button},
        {"type": "section", "fields": [section("x" * 500)["text"]] * 10},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10},
        {"type": "image", "image_url": "https://example.org/a.png", "alt_text": "x"},
        {"type": "actions", "elements": [button]},
        *[{"type": "divider"}] * 44,
    ]
    assert refusal({"text": "x" * 40_000, "blocks": blocks}) is None


def test_webhook_refusals_are_texts_with_a_status(slack: SlackReceiver) -> None:
    hook = WebhookClient(slack.webhook_url)
    assert (hook.send(text="").status_code, hook.send(text="").body) == (400, "no_text")
    assert hook.send(text="x", blocks=[section("x" * 3001)]).body == "invalid_blocks"
    assert requests.post(slack.webhook_url, data="{", timeout=5).text == "invalid_payload"
    other = WebhookClient(slack.webhook_url + "x").send(text="x")
    assert (other.status_code, other.body) == (404, "no_service")
    assert slack.messages == []
    codes = ["no_text", "no_text", "invalid_blocks", "invalid_payload", "no_service"]
    assert [code for _, code in slack.refused] == codes


def test_bot_posts_updates_and_finds_its_message_by_metadata(client: WebClient, slack: SlackReceiver) -> None:
    metadata = {"event_type": "incident", "event_payload": {"id": "17"}}
    posted = client.chat_postMessage(channel="C1", text="one", blocks=[section()], metadata=metadata)
    second = client.chat_postMessage(channel="C1", text="two")
    assert posted["ts"] < second["ts"]
    client.chat_update(channel="C1", ts=posted["ts"], text="one, corrected", blocks=[section("corrected")])
    history = client.conversations_history(channel="C1", include_all_metadata=True)["messages"]
    assert [message["text"] for message in history] == ["two", "one, corrected"]
    assert history[1]["metadata"] == metadata
    assert "edited" in history[1]
    assert slack.messages[0].versions == 2
    assert "metadata" not in client.conversations_history(channel="C1")["messages"][1]


def test_history_is_bounded_and_paged(client: WebClient) -> None:
    stamps = [client.chat_postMessage(channel="C1", text=str(number))["ts"] for number in range(5)]
    later = client.conversations_history(channel="C1", oldest=stamps[2])["messages"]
    assert [message["text"] for message in later] == ["4", "3"]
    inclusive = client.conversations_history(channel="C1", oldest=stamps[2], inclusive=True)["messages"]
    assert [message["text"] for message in inclusive] == ["4", "3", "2"]
    first = client.conversations_history(channel="C1", limit=2)
    cursor = first["response_metadata"]["next_cursor"]
    assert first["has_more"]
    rest = client.conversations_history(channel="C1", limit=10, cursor=cursor)
    assert [message["text"] for message in rest["messages"]] == ["2", "1", "0"]


def test_threads_and_deletion(client: WebClient) -> None:
    root = client.chat_postMessage(channel="C1", text="root")["ts"]
    client.chat_postMessage(channel="C1", text="note", thread_ts=root)
    assert [one["text"] for one in client.conversations_replies(channel="C1", ts=root)["messages"]] == ["root", "note"]
    client.chat_delete(channel="C1", ts=root)
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_update(channel="C1", ts=root, text="x")
    assert client.conversations_history(channel="C1")["messages"] == []


def test_upload_in_three_calls(client: WebClient, slack: SlackReceiver) -> None:
    content = bytes(range(256)) * 40
    client.files_upload_v2(channel="C1", filename="chart.png", content=content, title="図", initial_comment="chart")
    [file] = slack.files.values()
    assert (file.data, file.title, file.channel) == (content, "図", "C1")
    assert slack.messages[-1].files == [file.id]
    assert slack.folder is not None
    assert (slack.folder / f"{file.id}-chart.png").read_bytes() == content


def test_upload_as_a_form_is_the_same_file(client: WebClient, slack: SlackReceiver) -> None:
    ticket = client.files_getUploadURLExternal(filename="a.png", length=3)
    requests.post(ticket["upload_url"], files={"file": ("a.png", b"\x00\r\n")}, timeout=5)
    client.files_completeUploadExternal(files=[{"id": ticket["file_id"]}], channel_id="C1")
    assert slack.files[ticket["file_id"]].data == b"\x00\r\n"


def test_an_incomplete_upload_is_refused(client: WebClient) -> None:
    ticket = client.files_getUploadURLExternal(filename="a.png", length=3)
    with pytest.raises(SlackApiError, match="file_upload_size_mismatch"):
        client.files_completeUploadExternal(files=[{"id": ticket["file_id"]}], channel_id="C1")


def test_refusals_of_the_web_api(client: WebClient, slack: SlackReceiver) -> None:
    with pytest.raises(SlackApiError, match="channel_not_found"):
        client.chat_postMessage(channel="C9", text="x")
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient("xoxb-wrong", base_url=slack.api_url).auth_test()
    with pytest.raises(SlackApiError, match="unknown_method"):
        client.api_call("chat.shout")
    with pytest.raises(SlackApiError) as refused:
        client.chat_postMessage(channel="C1", text="x", blocks=[section("")])
    assert refused.value.response["response_metadata"]["messages"][0].startswith("[ERROR] ")
    assert client.auth_test()["bot_id"] == "B0SANDBOX"
    slack.revoked = True
    with pytest.raises(SlackApiError, match="invalid_auth"):
        client.auth_test()
    assert WebhookClient(slack.webhook_url).send(text="x").status_code == 404


def test_rate_limit_on_demand_with_retry_after(client: WebClient, slack: SlackReceiver, faults: FaultPlan) -> None:
    faults.add(Fault("rate_limited", server="slack", seconds=30, times=2))
    answer = WebhookClient(slack.webhook_url).send(text="x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    with pytest.raises(SlackApiError) as refused:
        client.chat_postMessage(channel="C1", text="x")
    assert refused.value.response.headers["retry-after"] == "30"
    assert client.chat_postMessage(channel="C1", text="x")["ok"]
    assert len(slack.messages) == 1


def test_a_cut_answer_was_received_all_the_same(client: WebClient, slack: SlackReceiver, faults: FaultPlan) -> None:
    faults.add(Fault("cut", server="slack", times=1))
    with pytest.raises(Exception, match=r"IncompleteRead|closed|reset"):
        client.chat_postMessage(channel="C1", text="maybe")
    assert [message.payload["text"] for message in slack.messages] == ["maybe"]
