"""A mail server on loopback that keeps what it gets; TLS, STARTTLS and a login where asked for."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail as it came: the envelope and the bytes."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes

    def parsed(self) -> EmailMessage:
        """The message, read by the standard library."""
        return message_from_bytes(self.data, policy=policy.default)


class SmtpReceiver:
    """Keeps mails in `messages`, and as .eml files in a folder; `replies` holds refusals for the next mails.

    `tls` makes every connection TLS from the start, `starttls` offers the command; `login` is (user, password).
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.folder, self.login = folder, login
        self.messages: list[ReceivedMail] = []
        self.replies: list[str] = []
        self._tls, self._starttls = tls, starttls
        self._lock = threading.Lock()
        self._controller: Any = None

    @property
    def host(self) -> str:
        """Where it listens."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The port that was free."""
        assert self._controller is not None, "start() first"
        return int(self._controller.port)

    def receive(self, envelope: Any) -> str:
        """Keep a mail, or refuse it as the next of `replies` says; the reply to the client."""
        with self._lock:
            if self.replies:
                return self.replies.pop(0)
            mail = ReceivedMail(envelope.mail_from, tuple(envelope.rcpt_tos), bytes(envelope.original_content))
            self.messages.append(mail)
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / f"mail-{len(self.messages):03d}.eml").write_bytes(mail.data)
        return "250 OK"

    def start(self) -> SmtpReceiver:
        """Listen; aiosmtpd cannot take port 0, so a free one is looked for, again when somebody was faster."""
        last: OSError | None = None
        for _ in range(ATTEMPTS):
            controller = Controller(
                _Handler(self), hostname=self.host, port=_free_port(), ready_timeout=10.0, **self._options()
            )
            try:
                controller.start()
            except OSError as error:
                last = error
                continue
            self._controller = controller
            return self
        raise RuntimeError(f"No free port for the mail receiver on 127.0.0.1 after {ATTEMPTS} attempts: {last}")

    def stop(self) -> None:
        """Stop listening."""
        if self._controller is not None:
            self._controller.stop()

    def __enter__(self) -> SmtpReceiver:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"enable_SMTPUTF8": True}
        if self._tls is not None:
            options["ssl_context"] = self._tls
        if self._starttls is not None:
            options |= {"tls_context": self._starttls, "require_starttls": True}
        if self.login is not None:
            encrypted = self._tls is not None or self._starttls is not None
            options |= {"authenticator": self._authenticate, "auth_required": True,
                        "auth_require_tls": encrypted and self._tls is None}  # fmt: skip
        return options

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        wanted = self.login
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=wanted is not None and given == wanted, handled=False)


class _Handler:
    """What aiosmtpd calls; it looks at every attribute, so it has no others."""

    def __init__(self, receiver: SmtpReceiver) -> None:
        self._receive = receiver.receive

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return self._receive(envelope)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
