"""A scriptable plan of what goes wrong: which server and path, which requests or until when, and how.

>>> plan = FaultPlan()
>>> plan.add(Fault("rate_limited", path="/2/tweets/search/*", times=2))
>>> plan.add(Fault("status", status=503, server="mastodon*", after=3, times=1))
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

FaultKind = Literal[
    "status",  # answer with `status` and the network's own kind of error body
    "rate_limited",  # 429 with a reset (in `seconds`, 900 s unless told)
    "rate_limited_without_reset",  # 429 without any header that says when
    "usage_capped",  # X: the billing cycle's cap is reached
    "hang",  # no answer for `seconds` of real time, then the connection is cut
    "slow",  # `seconds` of real time, then the real answer
    "disconnect",  # the connection is cut before an answer
    "cut",  # the connection is cut midway through the body
    "truncated",  # a complete answer (200) whose JSON ends midway
    "malformed",  # a complete answer (200) that is not JSON at all
    "wrong_json",  # a complete answer (200), valid JSON of a wrong shape
]
BODIES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 410: "Gone",
    429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
}  # fmt: skip


@dataclass(slots=True)
class Fault:
    """One entry of the plan; `path` and `server` are shell patterns, the path without its query."""

    kind: FaultKind
    path: str = "*"
    server: str = "*"
    method: str = "*"
    status: int = 500
    seconds: float | None = None
    after: int = 0
    times: int | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    seen: int = 0
    hits: int = 0

    def wants(self, server: str, method: str, path: str, now: datetime) -> bool:
        """Whether it is about this request at all."""
        if (self.begins and now < self.begins) or (self.ends and now >= self.ends):
            return False
        patterns = ((server, self.server), (method, self.method), (path, self.path))
        return all(fnmatchcase(value, pattern) for value, pattern in patterns)


class FaultPlan:
    """Faults in order; the first that applies acts. Safe to change while servers run."""

    def __init__(self, *faults: Fault) -> None:
        self._faults: list[Fault] = list(faults)
        self._skews: dict[str, timedelta] = {}
        self._lock = threading.Lock()
        self.log: list[tuple[str, str, str]] = []

    def add(self, fault: Fault) -> Fault:
        """Append a fault; what it did is counted in its `hits`."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Everything works again."""
        with self._lock:
            self._faults.clear()
            self._skews.clear()

    def skew_clock(self, by: timedelta, server: str = "*") -> None:
        """Let the servers' `Date` header and rate-limit resets differ from the sandbox's clock."""
        with self._lock:
            self._skews[server] = by

    def skew(self, server: str) -> timedelta:
        """How far a server's clock is ahead."""
        with self._lock:
            return next((by for name, by in self._skews.items() if fnmatchcase(server, name)), timedelta(0))

    def pick(self, server: str, method: str, path: str, now: datetime) -> Fault | None:
        """The fault for a request, counted; None when all is well."""
        with self._lock:
            chosen = None
            for fault in self._faults:
                if not fault.wants(server, method, path, now):
                    continue
                fault.seen += 1
                spent = fault.times is not None and fault.hits >= fault.times
                if chosen is None and fault.seen > fault.after and not spent:
                    fault.hits += 1
                    chosen = fault
            if chosen:
                self.log.append((server, path, chosen.kind))
            return chosen

    async def serve(
        self,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
        raw_send: Send,
        *,
        server: str,
        now: datetime,
        stop: threading.Event,
    ) -> None:
        """Answer a request: by the application, or as the plan says."""
        fault = self.pick(server, scope["method"], scope["path"], now)
        if fault is None:
            await app(scope, receive, send)
        elif fault.kind in ("hang", "slow"):
            await _pause(fault.seconds if fault.seconds is not None else 60.0, stop)
            if fault.kind == "slow":
                await app(scope, receive, send)
            else:
                await _cut(raw_send)
        elif fault.kind == "disconnect":
            await _cut(raw_send)
        elif fault.kind in ("cut", "truncated"):
            await _half(app, scope, receive, send, raw_send, complete=fault.kind == "truncated")
        else:
            await _answer(fault, server, now + self.skew(server), send)


async def _pause(seconds: float, stop: threading.Event) -> None:
    for _ in range(max(1, int(seconds / 0.02))):
        if stop.is_set():
            return
        await asyncio.sleep(0.02)


async def _cut(raw_send: Send) -> None:
    """Abort the TCP connection; uvicorn's `send` is a method of the cycle that holds the transport."""
    transport = getattr(getattr(raw_send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("fault: disconnect")
    transport.abort()
    await asyncio.sleep(0.005)  # so that uvicorn sees a lost client, not an answer that we forgot


async def _half(app: ASGIApp, scope: Scope, receive: Receive, send: Send, raw_send: Send, *, complete: bool) -> None:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start = next(message for message in messages if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
    half = body[: len(body) // 2]
    length = str(len(half if complete else body)).encode()
    kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "headers": [*kept, (b"content-length", length)]})
    await send({"type": "http.response.body", "body": half, "more_body": not complete})
    if not complete:
        await asyncio.sleep(0.01)
        await _cut(raw_send)


async def _answer(fault: Fault, server: str, now: datetime, send: Send) -> None:
    status, headers, content = _content(fault, server, now)
    text = fault.body if fault.body is not None else content if isinstance(content, str) else json.dumps(content)
    body = text.encode("utf-8", "surrogatepass")
    sent = {"content-type": "application/json; charset=utf-8", **headers, **fault.headers}
    pairs = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _content(fault: Fault, server: str, now: datetime) -> tuple[int, dict[str, str], Any]:
    if fault.kind == "malformed":
        return 200, {"content-type": "text/html"}, "<html><body>Something went wrong"
    if fault.kind == "wrong_json":
        return 200, {}, {"data": "not what you asked for"} if server == "x" else {"unexpected": [1]}
    if fault.kind == "usage_capped":
        return 429, {}, usage_capped()
    status = 429 if fault.kind.startswith("rate_limited") else fault.status
    headers: dict[str, str] = {}
    if fault.kind == "rate_limited":
        seconds = fault.seconds if fault.seconds is not None else 900.0
        headers = rate_headers(server, 450 if server == "x" else 300, 0, now + timedelta(seconds=seconds))
        if server == "slack":
            headers = {"retry-after": str(int(seconds))}
    return status, headers, error_body(server, status)


def rate_headers(server: str, limit: int, remaining: int, reset: datetime) -> dict[str, str]:
    """The rate-limit headers of a network: X in seconds of the epoch, Mastodon as a time."""
    if server == "x":
        names, value = "x-rate-limit", str(int(reset.timestamp()))
    else:
        names, value = "x-ratelimit", reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {f"{names}-limit": str(limit), f"{names}-remaining": str(max(remaining, 0)), f"{names}-reset": value}


def error_body(server: str, status: int) -> Any:
    """The body that a network sends with an error status."""
    title = BODIES.get(status, "Error")
    if server == "x":
        return {"title": title, "type": "about:blank", "status": status, "detail": title}
    if server == "slack":
        return {"ok": False, "error": {429: "ratelimited", 401: "invalid_auth"}.get(status, "internal_error")}
    return {"error": {429: "Too many requests", 404: "Record not found"}.get(status, title)}


def usage_capped() -> dict[str, Any]:
    """X's problem when the billing cycle's posts are used up: a 429 that no window ends."""
    return {
        "account_id": 1, "product_name": "pay-per-use", "title": "UsageCapExceeded", "period": "Monthly",
        "scope": "Product", "detail": "Usage cap exceeded: Monthly product cap",
        "type": "https://api.twitter.com/2/problems/usage-capped",
    }  # fmt: skip
