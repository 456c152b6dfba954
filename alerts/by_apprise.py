"""Any service that the Apprise library reaches, one to a channel; and what its answers mean.

Apprise says only yes or no. Why it was no stands in its log lines, whose form its services share: `error=STATUS`, or
`Socket Exception: ...`. They are heard in this thread, judged, and go nowhere else, for they name addresses with
credentials. Where they don't say that the service certainly did not take the message, nobody can know.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alerts.message import Message
from alerts.outcome import Outcome
from alerts.short import body, title
from config.settings import AppriseChannel

INSTALL = "Install it where resonance is installed: `pip install --require-hashes -r requirements/apprise.txt`."
KINDS = {"critical": "failure", "warning": "warning", "info": "info"}
_STATUS = re.compile(r"\berror=(\d{3})\b")
_NEVER_LEFT = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeoutError|Connection refused|Name or service not known|"
    "SSLError|CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError"
)


class NotUsable(Exception):
    """The channel cannot be used as it is; `remedy` says what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def service(channel: AppriseChannel) -> str:
    """The service's name, without its address. Raises NotUsable."""
    return str(_plugin(channel).service_name)


def send(channel: AppriseChannel, message: Message) -> Outcome:
    """Hand a short form of the message to the service, once. Never raises."""
    try:
        plugin = _plugin(channel)
    except NotUsable as error:
        return Outcome("failed", f"Apprise: {error.what} {error.remedy}")
    kind = "success" if message.tone == "chance" else KINDS.get(message.severity, "info")
    heading = title(message)
    name = str(plugin.service_name)
    with _listening() as heard:
        try:
            taken = bool(plugin.notify(title=heading, body=body(message), notify_type=kind, body_format="text"))
        except Exception as error:
            return Outcome("maybe_sent", f"{name} by Apprise: unexpected {type(error).__name__}.")
    return Outcome("sent") if taken else _judged(name, _targets(plugin), heard)


def _judged(name: str, targets: int, heard: list[str]) -> Outcome:
    """What a no means, by what was heard; of several receivers in one address nobody can know which got it."""
    told = "\n".join(heard)
    statuses = {int(status) for status in _STATUS.findall(told)}
    if targets > 1:
        return Outcome("maybe_sent", f"{name} by Apprise: not every receiver of this address took it.")
    if len(statuses) == 1:
        (status,) = statuses
        if status in (408, 429, 500, 503):
            return Outcome("retry", f"{name} by Apprise: answered {status}.")
        if 400 <= status < 500:
            return Outcome("failed", f"{name} by Apprise: refused ({status}). Check apprise_url.")
        return Outcome("maybe_sent", f"{name} by Apprise: answered {status}.")
    if not statuses and _NEVER_LEFT.search(told):
        return Outcome("retry", f"{name} by Apprise: not reachable.")
    return Outcome("maybe_sent", f"{name} by Apprise: no answer that could be understood.")


def _plugin(channel: AppriseChannel) -> Any:
    if channel.apprise_url is None:
        raise NotUsable("the address is missing.", "apprise_url names an environment variable that is not set.")
    try:
        import apprise
    except ImportError:
        raise NotUsable("the library is not installed.", INSTALL) from None
    asset = apprise.AppriseAsset(
        app_id="resonance",
        app_desc="resonance",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        storage_mode="memory",
    )
    with _listening():
        try:
            plugin = apprise.Apprise.instantiate(
                channel.apprise_url.get_secret_value(), asset=asset, suppress_exceptions=True
            )
        except Exception:
            plugin = None
    if plugin is None:
        raise NotUsable(
            "apprise_url is not an address that Apprise understands.",
            "Its documentation has the form for each service, such as line://TOKEN/USER or discord://ID/TOKEN.",
        )
    plugin.socket_connect_timeout = plugin.socket_read_timeout = channel.timeout
    return plugin


def _targets(plugin: Any) -> int:
    """How many receivers the address names; Apprise counts its own repeats, which we don't use, among them."""
    return len(plugin) // (int(getattr(plugin, "retry", 0)) + 1)


# ------------------------------------------------------------------ listening
class _Ears(logging.Handler):
    """Keeps what Apprise logs in the thread that listens; nothing of it reaches our log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.here = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        heard: list[str] | None = getattr(self.here, "heard", None)
        if heard is not None and len(heard) < 100:
            heard.append(record.getMessage()[:2000])


_ears = _Ears()


@contextmanager
def _listening() -> Iterator[list[str]]:
    logger = logging.getLogger("apprise")
    if _ears not in logger.handlers:
        logger.addHandler(_ears)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    heard: list[str] = []
    _ears.here.heard = heard
    try:
        yield heard
    finally:
        _ears.here.heard = None
