"""One HTTP server on loopback, in a thread of its own, with the date of the sandbox and its faults."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from email.utils import format_datetime
from typing import Any

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import FaultPlan
from sandbox.index import Clock

START_SECONDS = 10.0


class ServerDidNotStart(RuntimeError):
    """A sandbox server could not be started: another process may hold the port, or loopback is not usable."""


class JSON(Response):
    """JSON as the networks send it: UTF-8, compact; what UTF-8 cannot carry is sent as escapes."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(content, status_code, headers)

    def render(self, content: Any) -> bytes:
        """The body."""
        try:
            return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        except UnicodeEncodeError:
            return json.dumps(content, separators=(",", ":")).encode()


class Dated:
    """Adds the `Date` header by the sandbox's clock and lets the fault plan act before the application does."""

    def __init__(self, app: ASGIApp, clock: Clock, faults: FaultPlan, name: str) -> None:
        self.app, self.clock, self.faults, self.name = app, clock, faults, name
        self.stopping = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        now = self.clock()
        skew = self.faults.skew(self.name)
        date = format_datetime((now + skew).replace(microsecond=0), usegmt=True).encode()

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"date", date)]
            await send(message)

        await self.faults.serve(self.app, scope, receive, dated, send, server=self.name, now=now, stop=self.stopping)


class HttpServer:
    """An ASGI application on a free port of 127.0.0.1, until `stop`."""

    def __init__(self, app: ASGIApp, clock: Clock, faults: FaultPlan | None = None, name: str = "sandbox") -> None:
        self.name = name
        self.faults = faults if faults is not None else FaultPlan()
        self._app = Dated(app, clock, self.faults, name)
        config = uvicorn.Config(
            self._app,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=30,
        )
        self._server = uvicorn.Server(config)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> HttpServer:
        """Listen, and return when requests are answered."""
        # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        self._socket = listener
        self._thread = threading.Thread(target=self._run, name=f"sandbox-{self.name}", daemon=True)
        self._thread.start()
        waiting = threading.Event()
        for _ in range(int(START_SECONDS / 0.005)):
            if self._server.started:
                return self
            if not self._thread.is_alive():
                break
            waiting.wait(0.005)
        listener.close()
        raise ServerDidNotStart(f"The sandbox server {self.name} did not start on 127.0.0.1.")

    def _run(self) -> None:
        assert self._socket is not None
        self._server.run(sockets=[self._socket])

    @property
    def port(self) -> int:
        """The port that was free."""
        assert self._socket is not None, "start() first"
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The base address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        self._app.stopping.set()
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=START_SECONDS)
        if self._socket is not None:
            self._socket.close()

    def __enter__(self) -> HttpServer:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
