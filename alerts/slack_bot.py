"""Slack by bot token: a message that is kept current, its thread, its chart, and the question whether it has arrived.

Every message carries the key of its delivery as metadata, so that a `maybe_sent` is settled by asking the channel's
history instead of guessing.
"""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from alerts.outcome import Outcome
from alerts.safe import line, shorten
from alerts.slack import not_reached, seconds, silent
from config.settings import SlackChannel

EVENT = "resonance_delivery"
SCOPES = ("chat:write", "files:write", "channels:history")
PAGE, PAGES = 200, 3
BEFORE = timedelta(hours=1)
"""Slack's clock and ours may differ; history is asked from so long before the attempt."""
UNKNOWN = ("fatal_error", "internal_error")
"""Slack: some aspect of the operation may have succeeded."""
LATER = ("ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org")
REMEDIES = {
    "not_in_channel": "Invite the app to the channel: /invite @resonance.",
    "channel_not_found": "Check `channel`: it is the id in the channel's details; invite the app to it.",
    "is_archived": "The channel is archived; name another one.",
    "missing_scope": "Add the scope under OAuth & Permissions and install the app again.",
    "restricted_action": "The workspace's settings forbid the app to post there.",
}
TOKEN_ERRORS = ("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "no_permission")

Call = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Ref:
    """Where a message lies: the channel's id and the message's ts."""

    channel: str
    ts: str

    def __str__(self) -> str:
        return f"slack:{self.channel}/{self.ts}"


def ref_of(text: str | None) -> Ref | None:
    """The place in a `deliveries.peer_ref`, if it names one."""
    for word in (text or "").split():
        channel, slash, ts = word.removeprefix("slack:").partition("/")
        if word.startswith("slack:") and slash:
            return Ref(channel, ts)
    return None


def client(channel: SlackChannel) -> WebClient:
    """A client that never repeats by itself and logs nothing."""
    token = channel.bot_token.get_secret_value() if channel.bot_token else ""
    return WebClient(
        token=token,
        base_url=channel.api_url.rstrip("/") + "/",
        timeout=max(1, round(channel.timeout)),
        retry_handlers=[],
        logger=silent,
    )


# ------------------------------------------------------------------ sending
def send(
    channel: SlackChannel, bodies: Sequence[dict[str, Any]], key: str, *, root: Ref | None = None, done: int = 0
) -> Outcome:
    """Post the bodies, beginning after the `done` first ones: into the thread of `root`, or the first as a new one.

    Never repeats, never sleeps, never raises. The outcome's ref is the first message of the thread.
    """
    api = client(channel)
    for number in range(done, len(bodies)):
        thread = {"thread_ts": root.ts} if root else {}
        body = {**bodies[number], **thread, "metadata": _metadata(key, number)}
        answer = _asked(partial(api.chat_postMessage, channel=channel.channel, **body))
        if isinstance(answer, Outcome):
            return Outcome(answer.state, answer.detail, answer.retry_after, _named(root), number)
        root = root or Ref(str(answer["channel"]), str(answer["ts"]))
    return Outcome("sent", ref=_named(root), parts=len(bodies))


def update(channel: SlackChannel, root: Ref, body: dict[str, Any], key: str) -> Outcome:
    """Bring a message up to date. Doing so twice is doing it once, so that nothing is `maybe_sent` here."""
    api = client(channel)
    wanted = {name: value for name, value in body.items() if name in ("text", "blocks")}
    answer = _asked(lambda: api.chat_update(channel=root.channel, ts=root.ts, metadata=_metadata(key, 0), **wanted))
    if not isinstance(answer, Outcome):
        return Outcome("sent", ref=str(root))
    if answer.state == "maybe_sent":
        return Outcome("retry", answer.detail, answer.retry_after)
    return answer


def upload(channel: SlackChannel, root: Ref, picture: bytes, name: str, alt: str) -> Outcome:
    """Put a picture into the thread."""
    api = client(channel)
    answer = _asked(
        lambda: api.files_upload_v2(
            content=picture, filename=name, title=shorten(alt, 200), alt_txt=shorten(alt, 900),
            channel=root.channel, thread_ts=root.ts, request_file_info=False,
        )
    )  # fmt: skip
    return answer if isinstance(answer, Outcome) else Outcome("sent", ref=str(root))


def _metadata(key: str, part: int) -> dict[str, Any]:
    return {"event_type": EVENT, "event_payload": {"key": key, "part": part}}


def _named(root: Ref | None) -> str | None:
    return str(root) if root else None


# ------------------------------------------------------------------ asking
def arrived(
    channel: SlackChannel, since: datetime, *, key: str = "", parts: int = 1, root: Ref | None = None, file: str = ""
) -> Outcome:
    """Has a delivery of which nobody knows arrived? `sent`: yes; `retry`: no, from part `parts` on; else unknown.

    `since` is when it was attempted; `root` the thread that it went into, `file` the name of an uploaded picture.
    """
    found = _history(channel, root, since - BEFORE)
    if isinstance(found, Outcome):
        return Outcome("maybe_sent", f"asking Slack whether it arrived failed: {found.detail}")
    messages, whole = found
    if file:
        there = any(file in (f.get("name"), f.get("title")) for m in messages for f in m.get("files") or [])
        return _settled(there, whole, Outcome("sent", ref=_named(root)), 0, root)
    known = {part: place for m in messages if (part := _part(m, key)) is not None for place in [str(m.get("ts"))]}
    top = root or (Ref(channel.channel, known[0]) if 0 in known else None)
    have = next(n for n in range(parts + 1) if n not in known)
    if have and root is None and have < parts and top is not None:
        rest = arrived(channel, since, key=key, parts=parts, root=top)  # the other parts lie in its thread
        return Outcome(rest.state, rest.detail, rest.retry_after, _named(top), max(have, rest.parts))
    return _settled(have >= parts, whole or have > 0, Outcome("sent", ref=_named(top), parts=parts), have, top)


def _settled(there: bool, whole: bool, yes: Outcome, have: int, root: Ref | None) -> Outcome:
    if there:
        return yes
    if not whole:
        return Outcome("maybe_sent", "the channel's history is too long to be sure that it did not arrive", parts=have)
    return Outcome("retry", "Slack does not have it", retry_after=0, ref=_named(root), parts=have)


def _history(channel: SlackChannel, root: Ref | None, oldest: datetime) -> tuple[list[dict[str, Any]], bool] | Outcome:
    """Messages since `oldest` (of a thread, if one is given), and whether these are all."""
    api = client(channel)
    asked: dict[str, Any] = {"include_all_metadata": True, "limit": PAGE, "oldest": f"{oldest.timestamp():.6f}"}
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(PAGES):
        page = {**asked, **({"cursor": cursor} if cursor else {})}
        if root is None:
            answer = _asked(partial(api.conversations_history, channel=channel.channel, **page))
        else:
            answer = _asked(partial(api.conversations_replies, channel=root.channel, ts=root.ts, **page))
        if isinstance(answer, Outcome):
            return answer
        found += answer.get("messages") or []
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return found, True
    return found, False


def _part(message: Mapping[str, Any], key: str) -> int | None:
    """Which part of our delivery a message is, if it is one."""
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    if metadata.get("event_type") != EVENT or payload.get("key") != key:
        return None
    try:
        return int(payload.get("part", 0))
    except (TypeError, ValueError):
        return None


# ------------------------------------------------------------------ checking
def who(channel: SlackChannel) -> tuple[str, str, list[str]] | Outcome:
    """Workspace, user and the scopes that the token lacks; the Outcome says why Slack did not answer."""
    api = client(channel)
    answer = _asked(api.auth_test)
    if isinstance(answer, Outcome):
        return Outcome(answer.state, answer.detail.replace("the message", "the token"))
    names = {name.lower(): value for name, value in answer.headers.items()}
    given = {scope.strip() for scope in str(names.get("x-oauth-scopes", "")).split(",") if scope.strip()}
    history = ("channels:history", "groups:history", "im:history")
    missing = [scope for scope in SCOPES if given and scope not in given and scope not in history]
    if given and not given.intersection(history):
        missing.append("channels:history (groups:history for a private channel)")
    return line(str(answer.get("team", "?")), 60), line(str(answer.get("user", "?")), 60), missing


def buttons_heard(channel: SlackChannel) -> Outcome | None:
    """What keeps Socket Mode from being opened with the app token; None: nothing, or there is no such token."""
    if channel.app_token is None:
        return None
    answer = _asked(partial(client(channel).apps_connections_open, app_token=channel.app_token.get_secret_value()))
    return answer if isinstance(answer, Outcome) else None


# ------------------------------------------------------------------ answers
def _asked(call: Call) -> Any:
    """What Slack answered, or an Outcome that says why there is no answer."""
    try:
        return call()
    except SlackApiError as error:
        return _refused(error)
    except urllib.error.URLError as error:
        return not_reached(error)
    except SlackClientError as error:
        return Outcome("maybe_sent", f"Slack: an answer that cannot be read ({type(error).__name__}).")
    except Exception as error:
        return Outcome("maybe_sent", f"Slack: the connection broke before the answer came ({type(error).__name__}).")


def _refused(error: SlackApiError) -> Outcome:
    response: Any = error.response
    status = int(getattr(response, "status_code", 200) or 200)
    headers = getattr(response, "headers", None) or {}
    data = response.data if isinstance(getattr(response, "data", None), dict) else {}
    code = shorten(" ".join(str(data.get("error", "")).split()), 60)
    if status == 429 or code in LATER:
        return Outcome("retry", f"Slack: later ({code or status}).", retry_after=seconds(headers))
    if status in (500, 502, 504) or code in UNKNOWN:
        return Outcome("maybe_sent", f"Slack: an error on its side ({status if status != 200 else code}).")
    if status >= 500 or status == 408:
        return Outcome("retry", f"Slack: not available ({status}).", retry_after=seconds(headers))
    return Outcome("failed", f"Slack refuses the message ({code or status}). {remedy(code, data)}".rstrip())


def remedy(code: str, data: Mapping[str, Any]) -> str:
    """What to do about an error of the Web API."""
    if code in TOKEN_ERRORS:
        return "Check bot_token: copy it again from the Slack app (OAuth & Permissions)."
    needed = f" Missing: {shorten(str(data['needed']), 80)}." if data.get("needed") else ""
    if code == "invalid_blocks":
        return shorten(json.dumps(data.get("response_metadata") or {}), 200)
    return REMEDIES.get(code, "") + needed
