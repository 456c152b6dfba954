"""Email: Japanese survives the round trip, nothing of a stranger becomes a header, a link or markup."""

import re
import socket
import ssl
import threading
from email import charset as charsets
from email import message_from_bytes, policy
from html.parser import HTMLParser

import pytest
import trustme
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts import email as mail
from alerts.charts import chart
from alerts.compose import compose, compose_rollup
from alerts.incidents import apply
from alerts.message import Message
from alerts.read import incident
from alerts.safe import header
from config.settings import EmailChannel
from sandbox.receivers import SmtpReceiver
from tests.alerts.alert_cases import NOW, add_post, settings_of, surge

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> \"'>{{ 7*7 }} {% raw %} https://evil.example \r\nBcc: a@b"
)


def channel(port=25, **changes):
    given = {
        "name": "mail", "host": "127.0.0.1", "port": port, "security": "none", "sender": "r@example.com",
        "recipients": ("social@example.com", "pr@example.com"), "timeout": 2,
    }  # fmt: skip
    return EmailChannel(**{**given, **changes})


def message(subject="件名", **changes):
    given = {
        "kind": "opened", "language": "ja", "tone": "risk", "severity": "critical", "badge": "重大", "title": "題",
        "subject": subject, "summary": ("要約",), "thread": "incident-1",
    }  # fmt: skip
    return Message(**{**given, **changes})


def parsed(raw):
    return message_from_bytes(raw, policy=policy.default)


# ------------------------------------------------------------------ headers
subjects = st.text(st.characters(exclude_categories=()), max_size=300) | st.text(
    "炎上あア漢字。「」（）ー😀 aB#1\r\n:=?_", max_size=300
)


@settings(max_examples=150, deadline=None)
@given(subjects)
@example("[重大] 「" + "株式会社とても長い名前の珈琲店" * 8 + "」への否定的な投稿が増えています (#123456)")
@example("=?utf-8?b?QmNjOiBh?=")
@example("a" * 250)
@example("題\r\nBcc: all@example.com")
@example("👩\u200d👩\u200d👧" * 40)
def test_any_subject_survives_the_round_trip(text):
    raw = b"Subject: " + mail.encoded(text, "Subject").encode("ascii") + b"\r\nX-Next: 1\r\n\r\nbody"
    for line in raw.split(b"\r\n"):
        assert len(line) <= 78
        assert b"\r" not in line and b"\n" not in line
    read = parsed(raw)
    assert read["Subject"] == header(text)
    assert read["X-Next"] == "1" and read["Bcc"] is None
    assert not read["Subject"].defects


def test_encoded_words_are_whole_characters_of_at_most_75():
    value = mail.encoded("炎上の兆し" * 40, "Subject")
    words = re.findall(r"=\?utf-8\?[bq]\?[^?]+\?=", value)
    assert len(words) > 3
    for word in words:
        assert len(word) <= 75
        assert parsed(f"Subject: {word}\r\n\r\n".encode())["Subject"].isprintable()


def test_headers_that_make_one_thread_and_no_auto_replies():
    opened, resolved = (parsed(mail.build(channel(), message(kind=k), None, NOW)) for k in ("opened", "resolved"))
    assert opened["Message-ID"] == "<incident-1@example.com>"
    assert resolved["References"] == resolved["In-Reply-To"] == opened["Message-ID"]
    assert resolved["Message-ID"] != opened["Message-ID"]
    assert opened["Auto-Submitted"] == "auto-generated"
    assert opened["List-Unsubscribe"] == "<mailto:r@example.com?subject=unsubscribe>"
    assert opened["Date"].datetime == NOW
    assert mail.build(channel(), message(), None, NOW).count(b"incident-1@example.com") == 1


def test_names_in_addresses_are_encoded_and_cannot_add_headers():
    told = channel(
        sender="鳴海珈琲のお知らせ係 <r@example.com>", recipients=('"A, B" <a@example.com>', "ひと <b@例え.jp>")
    )
    read = parsed(mail.build(told, message(), None, NOW))
    assert read["From"].addresses[0].display_name == "鳴海珈琲のお知らせ係"
    assert [a.addr_spec for a in read["To"].addresses] == ["a@example.com", "b@xn--r8jz45g.jp"]
    assert mail.mailbox("x\r\nBcc: y@z.example <r@example.com>").count("\n") == 0


def test_what_another_library_does_to_pythons_charsets_changes_no_email():
    """Apprise, once loaded, makes quoted-printable of every UTF-8 header of the process."""
    told = channel(sender="鳴海珈琲のお知らせ係 <r@example.com>")
    before, kept = mail.build(told, message(), None, NOW), charsets.CHARSETS["utf-8"]
    try:
        charsets.add_charset("utf-8", charsets.QP, charsets.QP, "utf-8")
        after = mail.build(told, message(), None, NOW)
    finally:
        charsets.CHARSETS["utf-8"] = kept
    assert re.sub(rb"={15}\d+==", b"", after) == re.sub(rb"={15}\d+==", b"", before)


# ------------------------------------------------------------------ body
class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.events = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]
        self.links += [value for name, value in attrs if name in ("href", "src")]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_hostile_post_is_only_text(store, smtp, language):
    told = settings_of(None, smtp, language=language)
    add_post(store, "x:1", HOSTILE, author='"><script>', url="https://x.com/i/1")
    add_post(store, "x:2", HOSTILE, author="a", url="javascript:alert(1)")
    facts = {"words": [HOSTILE], "communities": [HOSTILE], "posts": 10, "negative": 6}
    apply(store, told, [surge(evidence=(("x:1", 1.0), ("x:2", 0.5)), facts=facts)], NOW)
    found = incident(store, 1)
    raw = mail.build(told.channels[0], compose(told, found, "opened", NOW), None, NOW)
    assert mail.send(told.channels[0], raw).state == "sent"
    got = smtp.messages[0].parsed()
    assert got["Bcc"] is None
    html = got.get_body(("html",)).get_content()
    tags = Tags()
    tags.feed(html)
    assert not {"script", "img", "iframe", "form"} & set(tags.tags)
    assert tags.events == [] and tags.links == ["https://x.com/i/1"]
    assert "{{ 7*7 }}" in html and "https://evil" not in html
    text = got.get_body(("plain",)).get_content()
    assert "resonance alerts feedback 1 false-alarm" in text and "javascript:" not in text


def test_the_chart_is_inline_and_the_html_shows_it(store, smtp):
    told = settings_of(None, smtp)
    apply(store, told, [surge()], NOW)
    found = incident(store, 1)
    said = compose(told, found, "opened", NOW)
    png = chart(found, "ja", told.topics[0].zone, said.title)
    mail.send(told.channels[0], mail.build(told.channels[0], said, png, NOW))
    got = smtp.messages[0].parsed()
    assert got.get_content_type() == "multipart/alternative"
    (image,) = [part for part in got.walk() if part.get_content_type() == "image/png"]
    assert image["Content-ID"] == f"<{mail.CHART_CID}>" and image.get_content() == png
    assert f"cid:{mail.CHART_CID}" in got.get_body(("related", "html")).as_string() or "cid:" in _html(got)
    assert smtp.messages[0].recipients == ("social@example.com", "pr@example.com")
    assert all(len(line) <= 998 for line in smtp.messages[0].data.split(b"\r\n"))


def _html(message):
    return next(part for part in message.walk() if part.get_content_type() == "text/html").get_content()


def test_a_roll_up_has_no_unfilled_places(store, smtp):
    told = settings_of(None, smtp, language="en")
    apply(store, told, [surge()], NOW)
    said = compose_rollup(told, [(incident(store, 1), "opened"), (incident(store, 1), "resolved")], 9)
    read = parsed(mail.build(told.channels[0], said, None, NOW))
    assert "2 alerts in one message" in read["Subject"]
    assert read.get_body(("html",)).get_content().count("#1 [") == 2


# ------------------------------------------------------------------ TLS, login, faults
@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def _context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted_and_logged_in(authority, trusted, security):
    with SmtpReceiver(**{security: _context(authority)}, login=("me", "hush")) as server:
        told = channel(server.port, security=security, username="me", password="hush")
        assert mail.send(told, mail.build(told, message(), None, NOW)).state == "sent"
        assert len(server.messages) == 1
        wrong = channel(server.port, security=security, username="me", password="wrong-secret")
        outcome = mail.send(wrong, mail.build(wrong, message(), None, NOW))
        assert outcome.state == "failed" and "password refused" in outcome.detail
        assert "wrong-secret" not in outcome.detail


def test_an_unknown_certificate_is_not_trusted(authority):
    with SmtpReceiver(starttls=_context(authority)) as server:
        told = channel(server.port, security="starttls")
        outcome = mail.send(told, mail.build(told, message(), None, NOW))
        assert outcome.state == "retry" and "secure" in outcome.detail
        assert server.messages == []


def test_no_encryption_where_it_was_asked_for_means_no_mail(smtp):
    told = channel(smtp.port, security="starttls")
    assert mail.send(told, mail.build(told, message(), None, NOW)).state == "failed"
    assert smtp.messages == []


@pytest.mark.parametrize(
    ("reply", "state"), [("451 try later", "retry"), ("554 spam", "failed"), ("452 full", "retry"), ("250 ok", "sent")]
)
def test_refusals_after_the_message(smtp, reply, state):
    smtp.replies.append(reply)
    told = channel(smtp.port)
    assert mail.send(told, mail.build(told, message(), None, NOW)).state == state


class Scripted(threading.Thread):
    """An SMTP server that answers by script and closes the connection when the script ends."""

    def __init__(self, replies, until_dot=False):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.replies, self.until_dot = replies, until_dot
        self.start()

    def run(self):
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rwb") as stream:
            for reply in self.replies:
                stream.write(reply.encode() + b"\r\n")
                stream.flush()
                stream.readline()
            while self.until_dot and stream.readline() not in (b".\r\n", b""):
                pass
        self.listener.close()


OK = "250 ok"


@pytest.mark.parametrize(
    ("replies", "until_dot", "state"),
    [
        ([], False, "retry"),
        (["421 busy"], False, "retry"),
        (["554 go away"], False, "failed"),
        (["220 hi", OK], False, "retry"),
        (["220 hi", OK, "550 no such sender", OK], False, "failed"),
        (["220 hi", OK, OK, OK], False, "retry"),
        (["220 hi", OK, OK, "550 no", "550 no", OK], False, "failed"),
        (["220 hi", OK, OK, "450 later", "450 later", OK], False, "retry"),
        (["220 hi", OK, OK, OK, OK, "354 go"], True, "maybe_sent"),
    ],
)
def test_a_connection_that_breaks_is_judged_by_where_it_broke(replies, until_dot, state):
    server = Scripted(replies, until_dot)
    told = channel(server.port)
    assert mail.send(told, mail.build(told, message(), None, NOW)).state == state
    server.join(5)


def test_one_refused_recipient_does_not_stop_the_others():
    server = Scripted(["220 hi", OK, OK, OK, "550 unknown", "354 go"], until_dot=True)
    told = channel(server.port)
    assert mail.send(told, mail.build(told, message(), None, NOW)).state == "maybe_sent"
    server.join(5)


def test_nobody_listening_means_certainly_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert mail.send(channel(port), b"").state == "retry"
