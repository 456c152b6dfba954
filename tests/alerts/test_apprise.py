"""Any other service, through the real library over loopback: at most once, short, harmless, without its address."""

import json
import logging
import re
import socket
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import by_apprise, short
from alerts.check import check_channels
from alerts.compose import compose, compose_rollup, compose_test
from alerts.incidents import apply
from alerts.message import Message, Quote, Section
from alerts.outbox import deliver
from alerts.read import incident
from alerts.sample import send_test
from config.settings import AppriseChannel
from tests.alerts.alert_cases import NOW, add_post, settings_of, signal, surge
from tests.alerts.test_slack import http, peer

try:
    import apprise  # noqa: F401
except ImportError:
    needs_apprise = pytest.mark.skip(reason="the extra `apprise` is not installed: requirements/apprise.txt")
else:
    needs_apprise = pytest.mark.skipif(False, reason="")


def channel(url, timeout=2.0, **keys):
    return AppriseChannel(name="line", apprise_url=url.replace("http://", "json://"), timeout=timeout, **keys)


def settings(url, language="ja", extra="", keys="", **given):
    table = f"""
[[channels]]
type = "apprise"
name = "line"
apprise_url = "{url.replace("http://", "json://")}"
timeout = 2
{keys}
"""
    return settings_of(language=language, extra=extra + table, **given)


def sent(request):
    return json.loads(request)


class Log(logging.Handler):
    """What a log of the application would hold at its most talkative."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def states(store):
    return [tuple(r) for r in store.query("SELECT kind, state FROM deliveries ORDER BY id")]


# ------------------------------------------------------------------ through the library
@needs_apprise
@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_incident_arrives_once_as_a_short_text_in_the_readers_language(store, language):
    add_post(store, "x:1", "<!channel> @everyone *bold* [click](https://evil.example) `x` おいしくない")
    with peer(http(200, b"ok")) as (url, requests):
        config = settings(url, language)
        apply(store, config, [surge(evidence=(("x:1", 1.0),))], NOW)
        deliver(store, config, NOW)
        deliver(store, config, NOW + timedelta(minutes=1))
    assert states(store) == [("opened", "sent")] and len(requests) == 1
    told = sent(requests[0])
    assert told["type"] == "failure"
    assert (
        told["title"]
        == {
            "ja": "［重大］ 「鳴海珈琲」への否定的な投稿が増えています",
            "en": "［Critical］ Negative posts about Narumi Coffee are rising",
        }[language]
    )
    assert len(told["title"]) + len(told["message"]) <= short.LIMIT
    words = told["message"].replace("https://x.com/hanako/status/1", "")
    assert "おいしくない" in words and "resonance alerts show 1" in words
    assert not set("@<>[]*`|") & set(words) and "https://evil" not in words


@needs_apprise
@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (http(200, b"ok"), "sent"),
        (http(204), "sent"),
        (http(401), "failed"),
        (http(404), "failed"),
        (http(429, b"slow down", b"Retry-After: 9"), "retry"),
        (http(500), "retry"),
        (http(503), "retry"),
        (http(502), "maybe_sent"),
        (http(504), "maybe_sent"),
        (b"", "maybe_sent"),
        (b"garbage\r\n\r\n", "maybe_sent"),
        (None, "maybe_sent"),
    ],
)
def test_every_answer_has_one_meaning_and_the_request_is_made_once(answer, state, capfd):
    log = Log()
    logging.getLogger().addHandler(log)
    try:
        with peer(answer) as (url, requests):
            outcome = by_apprise.send(channel(f"{url}?retry=3", timeout=1.0), compose_test(settings(url)))
    finally:
        logging.getLogger().removeHandler(log)
    assert outcome.state == state
    assert len(requests) == 1, "its own repeats are not used"
    told = "".join([outcome.detail, *log.lines, *capfd.readouterr()])
    assert "secret" not in told and "127.0.0.1" not in told


@needs_apprise
def test_nobody_listening_means_certainly_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"json://127.0.0.1:{port}/x", "json://no-such-host.invalid/x", f"jsons://127.0.0.1:{port}/x"):
        assert by_apprise.send(channel(url), compose_test(settings(url))).state == "retry"


@needs_apprise
def test_a_service_without_our_trust_gets_nothing():
    """Nothing was told to a server whose certificate is not trusted."""
    import ssl
    import threading

    import trustme

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            try:
                connection, _ = server.accept()
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(1)
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"jsons://127.0.0.1:{server.getsockname()[1]}/x"
        outcome = by_apprise.send(channel(url), compose_test(settings(url)))
        thread.join()
    assert outcome.state == "retry"


@needs_apprise
def test_of_several_receivers_in_one_address_nobody_knows_which_got_it():
    plugin = type("Two", (), {"__len__": lambda self: 4, "retry": 1})()
    assert by_apprise._targets(plugin) == 2
    assert by_apprise._judged("x", 2, ["Failed, error=429."]).state == "maybe_sent"
    assert by_apprise._judged("x", 1, ["error=429.", "error=404."]).state == "maybe_sent", "two answers are no answer"
    assert by_apprise._judged("x", 1, []).state == "maybe_sent"


@needs_apprise
def test_an_outage_is_waited_out_and_what_may_have_arrived_waits_for_a_person(store):
    with peer(http(503)) as (url, requests):
        config = settings(url)
        apply(store, config, [signal("viral_cascade", subject="x:1", series=())], NOW)
        deliver(store, config, NOW)
        assert states(store) == [("opened", "queued")]
        deliver(store, config, NOW + timedelta(minutes=2))
        assert len(requests) == 2
    with peer(b"") as (url, requests):
        config = settings(url)
        deliver(store, config, NOW + timedelta(minutes=10))
        for hours in range(1, 6):
            deliver(store, config, NOW + timedelta(hours=hours))
        assert states(store) == [("opened", "maybe_sent")] and len(requests) == 1


@needs_apprise
def test_it_has_routes_an_end_and_no_thread(store):
    with peer(http(200)) as (url, requests):
        config = settings(url, keys='rules = ["volume_spike"]')
        apply(store, config, [surge(), signal("rising_user", subject="x:9", series=())], NOW)
        assert states(store) == []
        later = NOW + timedelta(hours=7)
        apply(store, config, [signal(began_at=later)], later)
        deliver(store, config, later)
        apply(store, config, [signal(active=False)], later + timedelta(minutes=90))
        deliver(store, config, later + timedelta(minutes=90))
    assert [kind for kind, _ in states(store)] == ["opened", "resolved"] and len(requests) == 2
    assert "収束" in sent(requests[1])["title"]


@needs_apprise
def test_with_pages_it_carries_one_link(store):
    with peer(http(200)) as (url, requests):
        base = '[dashboard]\nbase_url = "https://r.example"\n'
        config = settings(url, extra=base).model_copy(update={"database": store.path})
        apply(store, config, [surge()], NOW)
        deliver(store, config, NOW)
    assert re.findall(r"https://r\.example/answer/\S+", sent(requests[0])["message"])[0].count(".ack.") == 1


@needs_apprise
def test_it_reaches_a_mail_server_as_apprise_does(smtp):
    url = f"mailto://127.0.0.1:{smtp.port}?mode=insecure&from=a@example.com&to=b@example.com"
    outcome = by_apprise.send(AppriseChannel(name="m", apprise_url=url), compose_test(settings(url)))
    assert outcome.state == "sent", outcome.detail
    mail = smtp.messages[0].parsed()
    assert "テスト" in mail["Subject"] and "設定は正しく" in mail.get_body(("plain", "html")).get_content()


@needs_apprise
def test_the_sample_says_what_arrived():
    with peer(http(200)) as (url, requests):
        (result,) = send_test(settings(url), NOW)
    assert result.ok and "テスト" in sent(requests[0])["title"]


# ------------------------------------------------------------------ what cannot be used
@needs_apprise
def test_check_names_the_service_and_never_its_address(monkeypatch):
    (found,) = check_channels(settings("json://secret.example/token"))
    assert found.ok and "JSON" in found.detail and "secret" not in found.detail
    (found,) = check_channels(settings("nonsense://secret"))
    assert not found.ok and found.exit_code == 78 and "secret" not in found.detail + found.remedy
    monkeypatch.delenv("NO_SUCH_URL", raising=False)
    (found,) = check_channels(settings("env:NO_SUCH_URL"))
    assert not found.ok and "APPRISE_URL" in found.remedy


def test_without_the_library_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    (found,) = check_channels(settings("json://r.example"))
    assert not found.ok and found.exit_code == 78 and "requirements/apprise.txt" in found.remedy
    outcome = by_apprise.send(channel("json://r.example"), compose_test(settings("json://r.example")))
    assert outcome.state == "failed" and "requirements/apprise.txt" in outcome.detail


# ------------------------------------------------------------------ the short form
@given(
    st.text(max_size=400),
    st.lists(st.text(max_size=300), max_size=6),
    st.lists(st.text(max_size=300), max_size=40),
    st.lists(st.text(max_size=400), max_size=3),
)
def test_whatever_is_told_it_fits_and_nothing_of_it_formats(title, lines, items, quotes):
    message = Message(
        kind="opened",
        language="ja",
        tone="risk",
        severity="critical",
        badge="重大",
        title=title,
        subject="",
        summary=tuple(lines),
        items=tuple(items),
        quotes=tuple(Quote(author="@a", when="", text=text) for text in quotes),
        commands=(("x", "resonance alerts ack 12"),),
    )
    head, told = short.title(message), short.body(message)
    assert len(head) + len(told) <= short.LIMIT
    assert "resonance alerts show 12" in told
    assert not set("@<>[]*`~|_\\") & set(head + told)


def test_a_roll_up_names_the_gravest_and_counts_the_rest(store):
    config = settings("json://r.example")
    apply(store, config, [signal("viral_cascade", subject=f"x:{n}", series=()) for n in range(60)] + [surge()], NOW)
    pairs = [(incident(store, n), "opened") for n in range(1, 62)]
    told = short.body(compose_rollup(config, pairs, 1))
    named = told.count("・#")
    left = int(re.search(r"ほか(\d+)", told)[1])
    assert named + left == 61 and named >= 8 and "［重大］" in told.split("・")[1]


def test_a_digest_keeps_its_order_and_counts_what_is_left_out():
    section = Section("鳴海珈琲", tuple(f"{n}行め" + "あ" * 90 for n in range(20)))
    message = Message(
        kind="digest", language="ja", tone="plain", severity="info", badge="まとめ", title="t", subject="",
        summary=("一文",), sections=(section,),
    )  # fmt: skip
    told = short.body(message)
    assert told.startswith("一文\n■ 鳴海珈琲\n・0行め") and re.search(r"ほか\d+。", told)
    assert len(told) <= short.LIMIT


def test_every_rule_has_a_short_form_in_both_languages(store):
    for language in ("ja", "en"):
        config = settings("json://r.example", language)
        apply(store, config, [surge(), signal("rising_user", subject="x:u", series=())], NOW)
        message = compose(config, incident(store, 1), "opened", NOW)
        assert short.harmless(message.summary[0]) in short.body(message)
