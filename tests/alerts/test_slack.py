"""Slack gets Block Kit within its limits; strangers' text is only text; every answer is read for what it means."""

import json
import socket
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import slack as room
from alerts.compose import compose, compose_test
from alerts.incidents import apply
from alerts.message import Message, Quote
from alerts.read import incident
from config.settings import SlackChannel
from sandbox.slack_rules import refusal
from tests.alerts.alert_cases import NOW, add_post, settings_of, surge

MARKUP = (
    "<!channel> <@U1> <https://evil.example|free> *bold* _it_ ~no~ `code` &lt;!here&gt; :tada: https://evil.example"
)


def channel(url, timeout=2.0):
    return SlackChannel(name="team", webhook_url=url, timeout=timeout)


def message(**changes):
    given = {
        "kind": "opened", "language": "ja", "tone": "risk", "severity": "critical", "badge": "重大", "title": "題",
        "subject": "題", "summary": ("要約",),
    }  # fmt: skip
    return Message(**{**given, **changes})


def parsed_fields(value, parent=""):
    """Every text that Slack would parse: mrkdwn objects and the top-level text."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for inner in value.values():
            yield from parsed_fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parsed_fields(inner)


@contextmanager
def peer(answer, *, hold=None):
    """A raw HTTP server that reads requests and answers each with these bytes; None: silence until `hold` is set."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                length = int(
                    next(h for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")).split(b":")[1]
                )
                while len(body) < length:
                    body += connection.recv(65536)
                requests.append(body)
                if answer is None:
                    (hold or threading.Event()).wait(30 if hold else 3)
                else:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/services/T/B/secret", requests
    finally:
        listener.close()


def http(status, body=b"no", *headers):
    lines = [
        f"HTTP/1.1 {status} X".encode(),
        *headers,
        b"Content-Length: %d" % len(body),
        b"Connection: close",
        b"",
        body,
    ]
    return b"\r\n".join(lines)


# ------------------------------------------------------------------ what is sent
@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_incident_is_accepted_by_a_peer_that_enforces_slacks_limits(store, slack, language):
    settings = settings_of(slack, language=language)
    add_post(store, "x:1", MARKUP + " 炎上", author="<!here>", url="javascript:alert(1)")
    facts = {"words": [MARKUP], "communities": ["<!channel>"], "posts": 48, "negative": 22}
    apply(store, settings, [surge(evidence=(("x:1", 1.0),), facts=facts)], NOW)
    bodies = room.payloads(compose(settings, incident(store, 1), "opened", NOW))
    assert room.send(settings.channels[0], bodies).state == "sent"
    (got,) = slack.messages
    assert slack.refused == []
    assert list(parsed_fields(got.payload)) == []
    assert got.payload["mrkdwn"] is False
    assert "javascript:" not in json.dumps(got.payload["blocks"])
    assert "resonance alerts ack 1" in json.dumps(got.payload)


quick = settings(max_examples=25, deadline=None)
nasty = st.text(st.characters(exclude_categories=()), max_size=300) | st.just(MARKUP) | st.just("日" * 2500)


@quick
@given(
    title=nasty,
    lines=st.lists(nasty, max_size=8),
    quotes=st.lists(nasty, max_size=5),
    items=st.lists(nasty, max_size=60),
)
def test_whatever_the_text_slack_accepts_it_and_parses_none_of_it(title, lines, quotes, items):
    from alerts.safe import line, quote

    told = message(
        title=line(title, 400),
        summary=tuple(line(text, 2000) for text in lines),
        quotes=tuple(Quote("@a", "", quote(text)) for text in quotes),
        items=tuple(line(text, 300) for text in items),
    )
    for body in room.payloads(told):
        json.dumps(body).encode("ascii")
        assert refusal(body) is None
        assert list(parsed_fields(body)) == []
        assert "<" not in body["text"] and ">" not in body["text"]
        assert "://" not in body["text"]


def test_a_long_roll_up_is_split_and_names_everything(store, slack):
    lines = tuple(f"#{n} [注意] 「鳴海珈琲」に関する投稿が大きく広がりそうです｜11月22日(日) 18:30" for n in range(600))
    bodies = room.payloads(message(kind="rollup", items=lines))
    assert len(bodies) > 1
    assert room.send(channel(slack.webhook_url), bodies).state == "sent"
    text = json.dumps([m.payload for m in slack.messages], ensure_ascii=False)
    assert all(f"#{n} [" in text for n in range(600))
    assert f"(1/{len(bodies)})" in slack.messages[0].payload["text"]


def test_sending_goes_on_after_the_parts_that_arrived(slack):
    bodies = [{"text": str(n)} for n in range(4)]
    assert room.send(channel(slack.webhook_url), bodies, done=2).state == "sent"
    assert [m.payload["text"] for m in slack.messages] == ["2", "3"]


def test_the_test_message_arrives(slack):
    settings = settings_of(slack)
    assert room.send(settings.channels[0], room.payloads(compose_test(settings))).state == "sent"
    assert "テスト" in slack.messages[0].payload["text"]


# ------------------------------------------------------------------ what the answers mean
@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (http(200, b"ok"), "sent"),
        (http(400, b"invalid_blocks"), "failed"),
        (http(403, b"invalid_token"), "failed"),
        (http(404, b"no_service"), "failed"),
        (http(410, b"channel_is_archived"), "failed"),
        (http(429, b"rate_limited", b"Retry-After: 30"), "retry"),
        (http(500, b"rollup_error"), "retry"),
        (http(503), "retry"),
        (http(502), "maybe_sent"),
        (http(504), "maybe_sent"),
        (b"", "maybe_sent"),
        (b"garbage\r\n\r\n", "maybe_sent"),
        (None, "maybe_sent"),
    ],
)
def test_every_answer_is_read_and_the_request_made_once(answer, state):
    with peer(answer) as (url, requests):
        outcome = room.send(channel(url, timeout=1.0), [{"text": "x"}])
    assert outcome.state == state
    assert len(requests) == 1
    assert "secret" not in outcome.detail and "127.0.0.1" not in outcome.detail


def test_retry_after_is_told():
    with peer(http(429, b"rate_limited", b"retry-after: 42")) as (url, _):
        assert room.send(channel(url), [{"text": "x"}]).retry_after == 42.0
    with peer(http(429, b"rate_limited", b"Retry-After: soon")) as (url, _):
        assert room.send(channel(url), [{"text": "x"}]).retry_after is None


def test_nobody_listening_means_certainly_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert room.send(channel(f"http://127.0.0.1:{port}/x"), [{"text": "x"}]).state == "retry"
    assert room.send(channel("http://no-such-host.invalid/x"), [{"text": "x"}]).state == "retry"


def test_a_missing_or_broken_webhook_fails_with_a_sentence():
    assert "webhook_url" in room.send(SlackChannel(name="team", webhook_url="env:NO_SUCH_HOOK"), [{"text": "x"}]).detail
    assert room.send(channel("not an address"), [{"text": "x"}]).state == "failed"


def test_the_secret_address_is_never_logged(caplog):
    caplog.set_level("DEBUG")
    for answer in (http(200, b"ok"), http(404), b""):
        with peer(answer) as (url, _):
            room.send(channel(url), [{"text": "x"}])
    assert "secret" not in caplog.text
