"""The mail receiver, through smtplib."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme

from sandbox.receivers import SmtpReceiver


def mail(subject: str = "炎上の兆し") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "monitor@example.org", "team@example.org", subject
    message.set_content("本文")
    message.add_alternative("<p>本文</p>", subtype="html")
    return message


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_keeps_the_bytes_and_writes_eml(tmp_path: Path) -> None:
    with SmtpReceiver(tmp_path) as receiver:
        with smtplib.SMTP(receiver.host, receiver.port, timeout=5) as smtp:
            smtp.send_message(mail(), to_addrs=["team@example.org", "second@example.org"])
        [received] = receiver.messages
    assert received.recipients == ("team@example.org", "second@example.org")
    parsed = received.parsed()
    assert parsed["Subject"] == "炎上の兆し"
    body = parsed.get_body(("html",))
    assert body is not None
    assert body.get_content().strip() == "<p>本文</p>"
    assert (tmp_path / "mail-001.eml").read_bytes() == received.data


def test_refuses_as_told_and_then_accepts() -> None:
    with SmtpReceiver() as receiver:
        receiver.replies = ["451 try again later", "550 never"]
        with smtplib.SMTP(receiver.host, receiver.port, timeout=5) as smtp:
            for code in (451, 550):
                with pytest.raises(smtplib.SMTPDataError) as refused:
                    smtp.send_message(mail())
                assert refused.value.smtp_code == code
            smtp.send_message(mail())
        assert len(receiver.messages) == 1


def test_starttls_with_a_login(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    with SmtpReceiver(starttls=server_tls, login=("monitor", "pass:word")) as receiver:
        with smtplib.SMTP(receiver.host, receiver.port, timeout=5) as smtp:
            with pytest.raises(smtplib.SMTPException):
                smtp.send_message(mail())
            smtp.starttls(context=client_tls)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                smtp.login("monitor", "wrong")
            with pytest.raises(smtplib.SMTPException):
                smtp.send_message(mail())
            assert receiver.messages == []
            smtp.login("monitor", "pass:word")
            smtp.send_message(mail())
        assert len(receiver.messages) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_login_over_tls_from_the_start(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    with SmtpReceiver(tls=server_tls, login=("monitor", "secret")) as receiver:
        with smtplib.SMTP_SSL(receiver.host, receiver.port, timeout=5, context=client_tls) as smtp:
            smtp.login("monitor", "secret")
            smtp.send_message(mail())
        assert len(receiver.messages) == 1
