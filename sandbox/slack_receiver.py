"""A Slack on loopback: incoming webhooks and enough of the Web API for slack_sdk, with Slack's limits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.faults import FaultPlan
from sandbox.index import Clock
from sandbox.limits import RateLimiter
from sandbox.server import JSON, HttpServer
from sandbox.slack_rules import refusal
from sandbox.slack_socket import SocketMode

SLACK_TOKEN = "xoxb-sandbox-token"
SLACK_APP_TOKEN = "xapp-sandbox-token"
WEBHOOK = "/services/T0SANDBOX/B0SANDBOX/sandboxsecret"
BOT = {"user_id": "U0SANDBOX", "bot_id": "B0SANDBOX", "team_id": "T0SANDBOX"}
SCOPES = ("chat:write", "files:write", "channels:history")
HISTORY = ("channels:history", "groups:history")
PACE = 10
"""Slack takes about a message a second in a channel, and lets short bursts pass."""
NEEDED = {
    "chat.postMessage": ("chat:write",), "chat.update": ("chat:write",), "chat.delete": ("chat:write",),
    "conversations.history": HISTORY, "conversations.replies": HISTORY,
    "files.getUploadURLExternal": ("files:write",), "files.completeUploadExternal": ("files:write",),
}  # fmt: skip
JSONDict = dict[str, Any]


@dataclass(slots=True)
class SlackMessage:
    """A message that was accepted; `payload` is what was sent last, `versions` counts the updates."""

    via: str
    channel: str
    ts: str
    at: datetime
    payload: JSONDict
    versions: int = 1
    deleted: bool = False
    files: list[str] = field(default_factory=list)
    attached: list[JSONDict] = field(default_factory=list)


@dataclass(slots=True)
class SlackFile:
    """An uploaded file; `channel` is None until the upload was completed."""

    id: str
    name: str
    length: int
    data: bytes = b""
    title: str = ""
    channel: str | None = None


class SlackError(Exception):
    """A refusal of the Web API: the code, and explanations."""

    def __init__(self, code: str, details: list[str] | None = None, needed: str = "") -> None:
        super().__init__(code)
        self.code, self.details, self.needed = code, details or [], needed


class SlackReceiver:
    """Keeps what it receives in `messages`, `files` and a folder; `refused` holds what it turned down."""

    def __init__(
        self,
        clock: Clock,
        faults: FaultPlan | None = None,
        folder: Path | None = None,
        *,
        token: str = SLACK_TOKEN,
        channels: tuple[str, ...] | None = None,
        scopes: tuple[str, ...] = SCOPES,
        paced: bool = False,
    ) -> None:
        """`paced`: of a channel's messages PACE in PACE seconds, by `clock`; the next ones are answered 429."""
        self.paced = RateLimiter(PACE) if paced else None
        self.clock, self.folder, self.token, self.channels = clock, folder, token, channels
        self.scopes = scopes
        self.socket = SocketMode()
        self.messages: list[SlackMessage] = []
        self.files: dict[str, SlackFile] = {}
        self.refused: list[tuple[str, str]] = []
        self.revoked = False
        self._last_ts = 0
        self._lock = threading.Lock()
        methods: dict[str, Callable[[JSONDict], JSONDict]] = {
            "auth.test": self._auth_test, "chat.postMessage": self._post, "chat.update": self._update,
            "chat.delete": self._delete, "conversations.history": self._history,
            "conversations.replies": self._replies, "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete,
            "apps.connections.open": lambda arguments: {"url": self.socket.url},
        }  # fmt: skip
        self._methods = methods
        routes = [
            Route("/services/{team}/{bot}/{secret}", self._webhook, methods=["POST"]),
            Route("/api/{method}", self._api, methods=["GET", "POST"]),
            Route("/upload/{file_id}", self._upload, methods=["POST", "PUT"]),
        ]
        self.server = HttpServer(Starlette(routes=routes), clock, faults, "slack")

    @property
    def webhook_url(self) -> str:
        """The address of the incoming webhook; a secret, as a real one is."""
        return self.server.url + WEBHOOK

    @property
    def api_url(self) -> str:
        """The `base_url` for slack_sdk's WebClient."""
        return self.server.url + "/api/"

    def start(self) -> SlackReceiver:
        """Listen."""
        self.server.start()
        self.socket.start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        self.socket.stop()
        self.server.stop()

    def __enter__(self) -> SlackReceiver:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    async def _webhook(self, request: Request) -> Response:
        if self.revoked or request.url.path != WEBHOOK:
            return self._refused_webhook("no_service", 404)
        try:
            payload = json.loads(await request.body())
        except ValueError:
            return self._refused_webhook("invalid_payload", 400)
        if not isinstance(payload, dict):
            return self._refused_webhook("invalid_payload", 400)
        problem = refusal(payload)
        if problem:
            return self._refused_webhook(problem[0], 400)
        if (wait := self._too_fast("webhook")) is not None:
            self._refused_webhook("rate_limited", 429)
            return PlainTextResponse("rate_limited", 429, {"Retry-After": str(wait)})
        with self._lock:
            self._keep("webhook", "webhook", payload)
        return PlainTextResponse("ok")

    def _too_fast(self, channel: str) -> int | None:
        """Seconds to wait, when the channel has had its messages; counts this one."""
        if self.paced is None:
            return None
        now = self.clock()
        left = self.paced.take(channel, PACE, now)
        return None if left.remaining >= 0 else max(1, ceil((left.reset - now).total_seconds()))

    def _refused_webhook(self, code: str, status: int) -> Response:
        with self._lock:
            self.refused.append(("webhook", code))
        return PlainTextResponse(code, status)

    async def _api(self, request: Request) -> Response:
        method = request.path_params["method"]
        try:
            arguments = await _arguments(request)
            given = request.headers.get("authorization", "").removeprefix("Bearer ") or arguments.pop("token", "")
            if not given:
                raise SlackError("not_authed")
            if self.revoked or given not in (self.token, SLACK_APP_TOKEN):
                raise SlackError("invalid_auth")
            if (given == SLACK_APP_TOKEN) != (method == "apps.connections.open"):
                raise SlackError("not_allowed_token_type")
            if method not in self._methods:
                raise SlackError("unknown_method")
            needed = NEEDED.get(method, ())
            if needed and not set(needed) & set(self.scopes):
                raise SlackError("missing_scope", needed=needed[0])
            wait = self._too_fast(str(arguments.get("channel", ""))) if method == "chat.postMessage" else None
            if wait is not None:
                with self._lock:
                    self.refused.append((method, "ratelimited"))
                return JSON({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(wait)})
            with self._lock:
                answer = JSON({"ok": True, **self._methods[method](arguments)})
            answer.headers["x-oauth-scopes"] = ",".join(self.scopes)
            return answer
        except SlackError as error:
            with self._lock:
                self.refused.append((method, error.code))
            details: JSONDict = {"response_metadata": {"messages": error.details}} if error.details else {}
            if error.needed:
                details |= {"needed": error.needed, "provided": ",".join(self.scopes)}
            return JSON({"ok": False, "error": error.code, **details})

    async def _upload(self, request: Request) -> Response:
        file = self.files.get(request.path_params["file_id"])
        if file is None:
            return PlainTextResponse("not found", 404)
        data = _uploaded(request.headers.get("content-type", ""), await request.body())
        with self._lock:
            file.data = data
        return PlainTextResponse(f"OK - {len(data)}")

    def _auth_test(self, arguments: JSONDict) -> JSONDict:
        return {"url": "https://sandbox.slack.com/", "team": "sandbox", "user": "resonance", **BOT}

    def _channel(self, name: str) -> str:
        if not name or (self.channels is not None and name not in self.channels):
            raise SlackError("channel_not_found")
        return name

    def _find(self, arguments: JSONDict) -> SlackMessage:
        channel, ts = self._channel(str(arguments.get("channel", ""))), arguments.get("ts")
        for message in self.messages:
            if message.channel == channel and message.ts == ts and not message.deleted:
                return message
        raise SlackError("message_not_found")

    def _post(self, arguments: JSONDict) -> JSONDict:
        channel = self._channel(str(arguments.pop("channel", "")))
        _check(arguments)
        message = self._keep("api", channel, arguments)
        return {"channel": channel, "ts": message.ts, "message": _shown(message, metadata=True)}

    def _update(self, arguments: JSONDict) -> JSONDict:
        message = self._find(arguments)
        changes = {name: value for name, value in arguments.items() if name not in ("channel", "ts")}
        _check(changes)
        message.payload.update(changes)
        message.versions += 1
        self._write(message)
        return {"channel": message.channel, "ts": message.ts, "text": message.payload.get("text", ""),
                "message": _shown(message, metadata=True)}  # fmt: skip

    def _delete(self, arguments: JSONDict) -> JSONDict:
        message = self._find(arguments)
        message.deleted = True
        return {"channel": message.channel, "ts": message.ts}

    def _history(self, arguments: JSONDict) -> JSONDict:
        channel = self._channel(str(arguments.get("channel", "")))
        found = [one for one in self.messages if one.channel == channel and not one.payload.get("thread_ts")]
        return _slice(found, arguments)

    def _replies(self, arguments: JSONDict) -> JSONDict:
        root = self._find(arguments)
        found = [one for one in self.messages if one is root or one.payload.get("thread_ts") == root.ts]
        answer = _slice(found, arguments)
        answer["messages"].reverse()
        return answer

    def _upload_url(self, arguments: JSONDict) -> JSONDict:
        name, length = str(arguments.get("filename", "")), int(arguments.get("length") or 0)
        if not name or length <= 0:
            raise SlackError("invalid_arguments")
        file = SlackFile(f"F{len(self.files) + 1:010d}", name, length)
        self.files[file.id] = file
        return {"upload_url": f"{self.server.url}/upload/{file.id}", "file_id": file.id}

    def _complete(self, arguments: JSONDict) -> JSONDict:
        wanted = arguments.get("files")
        if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
            raise SlackError("invalid_arguments")
        if not all(one.get("id") in self.files for one in wanted):
            raise SlackError("file_not_found")
        files = [self.files[one["id"]] for one in wanted]
        if any(len(file.data) != file.length for file in files):
            raise SlackError("file_upload_size_mismatch")
        channel = arguments.get("channel_id") or arguments.get("channels")
        for file, one in zip(files, wanted, strict=True):
            file.title = one.get("title") or file.name
            file.channel = self._channel(str(channel)) if channel else None
        if channel:
            payload = {"text": arguments.get("initial_comment") or ""}
            if arguments.get("thread_ts"):
                payload["thread_ts"] = arguments["thread_ts"]
            message = self._keep("api", str(channel), payload)
            message.files = [file.id for file in files]
            message.attached = [{"id": file.id, "name": file.name, "title": file.title} for file in files]
        for file in files:
            self._write_file(file)
        answer = [{"id": file.id, "title": file.title, "name": file.name, "size": file.length} for file in files]
        return {"files": answer}

    def _keep(self, via: str, channel: str, payload: JSONDict) -> SlackMessage:
        now = self.clock()
        self._last_ts = max(self._last_ts + 1, int(now.timestamp() * 1_000_000))
        ts = f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"
        message = SlackMessage(via, channel, ts, now, payload)
        self.messages.append(message)
        self._write(message)
        return message

    def _write(self, message: SlackMessage) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        number = next(place for place, one in enumerate(self.messages, start=1) if one is message)
        body = {"via": message.via, "channel": message.channel, "ts": message.ts, "payload": message.payload}
        text = json.dumps(body, ensure_ascii=False, indent=2)
        (self.folder / f"message-{number:03d}.json").write_text(text, encoding="utf-8", errors="backslashreplace")

    def _write_file(self, file: SlackFile) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{file.id}-{Path(file.name).name}").write_bytes(file.data)


def _uploaded(kind: str, body: bytes) -> bytes:
    """The file of an upload, which comes bare or as the first file of a form."""
    if not kind.startswith("multipart/"):
        return body
    form = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=policy.HTTP)
    for part in form.iter_parts():
        if part.get_filename() is not None:
            return bytes(part.get_payload(decode=True) or b"")
    return b""


async def _arguments(request: Request) -> JSONDict:
    arguments: JSONDict = dict(request.query_params)
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        arguments.update(body)
    elif request.method == "POST":
        arguments.update(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    for name in ("blocks", "attachments", "metadata", "files"):
        if isinstance(arguments.get(name), str):
            try:
                arguments[name] = json.loads(arguments[name])
            except ValueError:
                raise SlackError(f"invalid_{name}_format") from None
    return arguments


def _check(payload: JSONDict) -> None:
    problem = refusal(payload)
    if problem:
        raise SlackError(*problem)


def _shown(message: SlackMessage, metadata: bool) -> JSONDict:
    shown: JSONDict = {"type": "message", "user": BOT["user_id"], "bot_id": BOT["bot_id"], "ts": message.ts, "text": ""}
    kept = {name: value for name, value in message.payload.items() if name != "metadata" or metadata}
    if message.files:
        shown["files"] = message.attached
    if message.versions > 1:
        shown["edited"] = {"user": BOT["user_id"], "ts": message.ts}
    return {**shown, **kept}


def _slice(messages: list[SlackMessage], arguments: JSONDict) -> JSONDict:
    oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
    inclusive = str(arguments.get("inclusive", "")).lower() in ("1", "true")
    metadata = str(arguments.get("include_all_metadata", "")).lower() in ("1", "true")
    start, limit = int(arguments.get("cursor") or 0), min(int(arguments.get("limit") or 100), 999)

    def within(message: SlackMessage) -> bool:
        moment = float(message.ts)
        return oldest < moment < latest or (inclusive and moment in (oldest, latest))

    found = [one for one in reversed(messages) if not one.deleted and within(one)]
    page, more = found[start : start + limit], len(found) > start + limit
    cursor = {"next_cursor": str(start + limit) if more else ""}
    return {"messages": [_shown(one, metadata) for one in page], "has_more": more, "response_metadata": cursor}
