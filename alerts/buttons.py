"""The buttons under a Slack message, heard over Socket Mode: no public address is needed.

A press is stored before it is confirmed; pressing twice is pressing once. What a button says about an incident is
believed only when it names an incident of this database, from the channel that was told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from alerts import people
from alerts.compose import thread
from alerts.errors import AlertError
from alerts.read import incident
from alerts.safe import line
from alerts.slack import silent
from alerts.slack_bot import client
from config.settings import Settings, SlackChannel
from store.db import Store

PREFIX = "resonance_"
PING_SECONDS = 10.0
"""A connection that answers no ping for some of these is made anew by slack_sdk."""
_log = structlog.get_logger()


class Buttons:
    """Listens for every app token; `keep` connects what is not connected, `close` ends it."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], datetime]) -> None:
        """`clock` says when a button was pressed."""
        self.store, self.settings, self.clock = store, settings, clock
        self._clients: dict[str, SocketModeClient] = {}
        self._lock = threading.Lock()

    @staticmethod
    def wanted(settings: Settings) -> list[SlackChannel]:
        """The channels whose messages carry buttons, one for each app token."""
        channels = [c for c in settings.channels if isinstance(c, SlackChannel) and c.app_token is not None]
        return list({c.app_token.get_secret_value(): c for c in reversed(channels) if c.app_token}.values())

    def keep(self) -> list[str]:
        """Connect what is not connected; returns what is wrong, in words."""
        wrong = []
        for channel in self.wanted(self.settings):
            try:
                self._connect(channel)
            except Exception as error:
                wrong.append(
                    f"Slack's Socket Mode for {channel.name} is not connected ({_why(error)}). Check app_token "
                    "(connections:write) and that Socket Mode is on in the Slack app; it is tried again."
                )
        return wrong

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for one in clients:
            one.close()

    def _connect(self, channel: SlackChannel) -> None:
        assert channel.app_token is not None
        token = channel.app_token.get_secret_value()
        with self._lock:
            known = self._clients.get(token)
            if known is not None and known.is_connected():
                return
            if known is not None:
                known.close()
            fresh = SocketModeClient(
                app_token=token, web_client=client(channel), logger=silent, ping_interval=PING_SECONDS, concurrency=1
            )
            fresh.socket_mode_request_listeners.append(self._heard)
            try:
                fresh.connect()
            except BaseException:
                fresh.close()
                raise
            self._clients[token] = fresh

    def _heard(self, connection: BaseSocketModeClient, request: SocketModeRequest) -> None:
        """Store what was pressed, then confirm; what is not for us is confirmed too, or Slack sends it again."""
        try:
            if request.type == "interactive" and isinstance(request.payload, Mapping):
                press(self.store, self.settings, request.payload, self.clock())
        except Exception as error:
            _log.warning("button_not_heard", error=type(error).__name__)
        connection.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))


def press(store: Store, settings: Settings, payload: Mapping[str, Any], now: datetime) -> int:
    """Do what the buttons of an interaction say; returns how many were ours and did something."""
    place = str((payload.get("channel") or {}).get("id", ""))
    known = any(isinstance(c, SlackChannel) and c.by_bot and c.channel == place for c in settings.channels)
    if payload.get("type") != "block_actions" or not known:
        return 0
    user = payload.get("user") or {}
    by = line(str(user.get("name") or user.get("username") or user.get("id") or "Slack"), 60)
    return sum(_act(store, action, by, now) for action in payload.get("actions") or [] if isinstance(action, Mapping))


def _act(store: Store, action: Mapping[str, Any], by: str, now: datetime) -> bool:
    name = str(action.get("action_id", "")).removeprefix(PREFIX)
    number, _, named = str(action.get("value", "")).partition(" ")
    if not str(action.get("action_id", "")).startswith(PREFIX) or not number.isdecimal() or len(number) > 15:
        return False
    try:
        found = incident(store, int(number), evidence=0)
        if thread(found) != named:
            return False
        if name == "ack" and found.state == "open":
            people.acknowledge(store, found.id, by, now)
            return True
        if name in ("helpful", "false_alarm"):
            verdict: people.Verdict = "helpful" if name == "helpful" else "false_alarm"
            return people.feedback(store, found.id, verdict, by, "", now).noted
    except AlertError:
        return False
    return False


def _why(error: Exception) -> str:
    """The error without addresses and tokens."""
    response = getattr(error, "response", None)
    code = response.get("error") if response is not None and hasattr(response, "get") else None
    return line(str(code), 40) if code else type(error).__name__
