"""Email by SMTP: text, HTML and an inline chart in one message; one thread per incident; what the answers mean.

The headers are written here, not by EmailMessage: CPython's folding of long Japanese headers can give invalid encoded
words (cpython #144156), while email.header splits between characters.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.charset import BASE64, Charset
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Literal

import jinja2

from alerts.compose import BADGES
from alerts.message import Message
from alerts.outcome import Outcome
from alerts.safe import header, shorten
from alerts.texts import plain
from alerts.wording import strings
from config.settings import EmailChannel

CHART_CID = "chart@resonance"
COLOURS = {"risk": "#b3261e", "chance": "#1b7f4d", "fault": "#5f6368", "plain": "#1f5fa8", "over": "#5f6368"}


def build(channel: EmailChannel, message: Message, chart: bytes | None, now: datetime) -> bytes:
    """The whole email, ready for DATA. Building it again gives the same Message-ID, so that a repeat can be known."""
    body = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    body.set_content(plain(message), charset="utf-8", cte="base64")
    body.add_alternative(html(message, with_chart=chart is not None), subtype="html", charset="utf-8", cte="base64")
    if chart is not None:
        page = body.get_payload(1)
        assert isinstance(page, EmailMessage)
        page.add_related(chart, "image", "png", cid=f"<{CHART_CID}>", filename="chart.png", disposition="inline")
    return _headers(channel, message, now) + body.as_bytes()


def html(message: Message, *, with_chart: bool, chart_src: str = f"cid:{CHART_CID}") -> str:
    """The HTML part; every text is escaped, links are only those that alerts.safe let through."""
    said = strings(message.language)["labels"]
    return _template().render(
        m=message,
        facts=[fact for fact in message.facts if not (with_chart and fact[0] == said["trend"])],
        said=said,
        colour=COLOURS[message.tone],
        mark=BADGES[message.tone],
        chart=chart_src if with_chart else None,
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("alerts"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template("email.html.j2")


# ------------------------------------------------------------------ headers
def _headers(channel: EmailChannel, message: Message, now: datetime) -> bytes:
    address = addr_spec(channel.sender)
    domain = address.rpartition("@")[2]
    root = f"<{message.thread}@{domain}>"
    follows = message.kind in ("update", "resolved", "escalation")
    note = f".{message.note_id}" if message.note_id else ""
    own = f"<{message.thread}.{message.kind}{note}@{domain}>" if follows else root
    if message.kind == "test":
        own = f"<test.{now:%Y%m%d%H%M%S}@{domain}>"
    urgent = message.severity == "critical" and message.kind in ("opened", "escalation")
    lines = [
        ("From", mailbox(channel.sender)),
        ("To", ",\r\n ".join(mailbox(recipient) for recipient in channel.recipients)),
        ("Subject", encoded(message.subject, "Subject")),
        ("Date", format_datetime(now)),
        ("Message-ID", own),
        *([("In-Reply-To", root), ("References", root)] if follows else []),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("List-ID", f"<alerts.resonance.{domain}>"),
        ("List-Unsubscribe", f"<mailto:{address}?subject=unsubscribe>"),
        ("Content-Language", message.language),
        *([("Importance", "high")] if urgent else []),
    ]
    return "".join(f"{name}: {value}\r\n" for name, value in lines).encode("ascii")


def encoded(text: str, name: str) -> str:
    """A header's value in ASCII: encoded words of whole characters, folded, without a way to begin another header."""
    text = header(text)
    simple = text.isascii() and "=?" not in text and max(map(len, text.split()), default=0) < 60
    charset = Charset("us-ascii") if simple else _utf8()
    return Header(text, charset, maxlinelen=75, header_name=name).encode(linesep="\r\n")


def _utf8() -> Charset:
    """UTF-8 in base64, whatever else in this process says: Apprise changes what Python's registry holds."""
    charset = Charset("utf-8")
    charset.header_encoding = BASE64
    return charset


def addr_spec(address: str) -> str:
    """The bare address of `Name <user@host>`; the host in its ASCII form."""
    bare = header(parseaddr(address)[1] or address)
    user, _, host = bare.rpartition("@")
    return f"{user}@{host if host.isascii() else host.encode('idna').decode('ascii')}"


def mailbox(address: str) -> str:
    """The address as a header says it, its name encoded where need be."""
    name = header(parseaddr(address)[0])
    if not name:
        return addr_spec(address)
    if name.isascii():
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{addr_spec(address)}>'
    return f"{encoded(name, 'From')} <{addr_spec(address)}>"


# ------------------------------------------------------------------ sending
def send(channel: EmailChannel, raw: bytes) -> Outcome:
    """Hand the email to the SMTP server. Never repeats, never raises."""
    try:
        smtp = connect(channel)
    except smtplib.SMTPAuthenticationError as error:
        return Outcome("failed", f"SMTP {channel.host}: user or password refused ({error.smtp_code}).")
    except smtplib.SMTPNotSupportedError as error:
        return Outcome("failed", f"SMTP {channel.host}: {shorten(str(error), 80)} Check `security` and `username`.")
    except smtplib.SMTPResponseException as error:
        return Outcome(_by_code(error.smtp_code), f"SMTP {channel.host}: refused ({error.smtp_code}).")
    except ssl.SSLError as error:
        return Outcome("retry", f"SMTP {channel.host}: no secure connection ({error.reason or 'TLS'}).")
    except (OSError, smtplib.SMTPException) as error:
        return Outcome("retry", f"SMTP {channel.host}: not reachable ({type(error).__name__}).")
    try:
        return _hand_over(smtp, channel, raw)
    finally:
        leave(smtp)


def connect(channel: EmailChannel) -> smtplib.SMTP:
    """A session that is greeted, secured and logged in as configured. Raises what smtplib and ssl raise."""
    context = ssl.create_default_context()
    smtp: smtplib.SMTP
    if channel.security == "tls":
        smtp = smtplib.SMTP_SSL(channel.host, channel.port, timeout=channel.timeout, context=context)
    else:
        smtp = smtplib.SMTP(channel.host, channel.port, timeout=channel.timeout)
    try:
        smtp.ehlo_or_helo_if_needed()
        if channel.security == "starttls":
            smtp.starttls(context=context)
            smtp.ehlo()
        if channel.username and channel.password is not None:
            smtp.login(channel.username, channel.password.get_secret_value())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _hand_over(smtp: smtplib.SMTP, channel: EmailChannel, raw: bytes) -> Outcome:
    try:
        code, _ = smtp.mail(addr_spec(channel.sender))
        if code != 250:
            return Outcome(_by_code(code), f"SMTP {channel.host}: sender refused ({code}).")
        refused = _recipients(smtp, channel.recipients)
        if len(refused) == len(channel.recipients):
            code = max(refused.values())
            return Outcome(_by_code(code), f"SMTP {channel.host}: every recipient refused ({code}).")
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(
            "retry", f"SMTP {channel.host}: the connection broke before the message ({type(error).__name__})."
        )
    try:
        code, _ = smtp.data(raw)
    except smtplib.SMTPDataError as error:
        return Outcome(_by_code(error.smtp_code), f"SMTP {channel.host}: message refused ({error.smtp_code}).")
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(
            "maybe_sent", f"SMTP {channel.host}: the connection broke before the answer ({type(error).__name__})."
        )
    if code != 250:
        return Outcome(_by_code(code), f"SMTP {channel.host}: message refused ({code}).")
    lost = f"{len(refused)} of {len(channel.recipients)} recipients refused" if refused else ""
    return Outcome("sent", lost, ref=_message_id(raw))


def _message_id(raw: bytes) -> str:
    return raw.split(b"\r\nMessage-ID: ", 1)[1].split(b"\r\n", 1)[0].decode("ascii")


def _recipients(smtp: smtplib.SMTP, recipients: Sequence[str]) -> dict[str, int]:
    """Who is refused, with the code."""
    answers = {recipient: smtp.rcpt(addr_spec(recipient))[0] for recipient in recipients}
    return {recipient: code for recipient, code in answers.items() if code not in (250, 251)}


def _by_code(code: int) -> Literal["retry", "failed"]:
    return "retry" if 400 <= code < 500 else "failed"


def leave(smtp: smtplib.SMTP) -> None:
    """Say goodbye; a server that is gone already is no news."""
    try:
        smtp.quit()
    except (OSError, smtplib.SMTPException):
        smtp.close()
