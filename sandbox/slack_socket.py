"""Slack's Socket Mode on loopback: enough of a WebSocket (RFC 6455) for slack_sdk's built-in client."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import threading
from typing import Any

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class SocketMode:
    """Sends envelopes to whoever is connected; `answers` holds what came back, `connections` counts those who came."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.connections = 0
        self._changed = threading.Condition()
        self._peers: list[socket.socket] = []
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """What apps.connections.open answers."""
        assert self._listener is not None, "start() first"
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}/link"

    def start(self) -> SocketMode:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, name="sandbox-socket-mode", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening and hang up."""
        if self._listener is not None:
            self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection with an announcement, as Slack does every few hours."""
        goodbye = json.dumps({"type": "disconnect", "reason": "refresh_requested"}).encode()
        with self._changed:
            peers, self._peers = self._peers, []
        for peer in peers:
            try:
                peer.sendall(_frame(TEXT, goodbye) + _frame(CLOSE, b""))
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def push(self, envelope: dict[str, Any]) -> None:
        """Send an envelope to everybody who is connected."""
        with self._changed:
            for peer in self._peers:
                peer.sendall(_frame(TEXT, json.dumps(envelope).encode()))

    def press(self, action: str, value: str, *, channel: str, user: str = "hanako", envelope: str = "e1") -> None:
        """Somebody presses a button of ours."""
        payload = {
            "type": "block_actions",
            "user": {"id": "U1", "username": user, "name": user},
            "channel": {"id": channel, "name": "team"},
            "actions": [{"type": "button", "action_id": action, "block_id": "b", "value": value}],
        }
        self.push({"type": "interactive", "envelope_id": envelope, "payload": payload})

    def wait(self, *, answers: int = 0, connections: int = 0, seconds: float = 10.0) -> bool:
        """Until so many answers and connections came; False when they did not."""
        with self._changed:
            return self._changed.wait_for(
                lambda: len(self.answers) >= answers and self.connections >= connections and len(self._peers) > 0,
                seconds,
            )

    def _accept(self) -> None:
        assert self._listener is not None
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), name="sandbox-socket-peer", daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            try:
                _shake_hands(peer)
                peer.sendall(_frame(TEXT, json.dumps({"type": "hello", "num_connections": 1}).encode()))
                with self._changed:
                    self.connections += 1
                    self._peers.append(peer)
                    self._changed.notify_all()
                while self._answer(peer, *_read_frame(peer)):
                    pass
            except (OSError, ValueError):
                pass
            with self._changed:
                self._peers = [one for one in self._peers if one is not peer]

    def _answer(self, peer: socket.socket, kind: int, payload: bytes) -> bool:
        if kind == PING:
            peer.sendall(_frame(PONG, payload))
        elif kind == TEXT:
            with self._changed:
                self.answers.append(json.loads(payload))
                self._changed.notify_all()
        return kind != CLOSE


def _shake_hands(peer: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        more = peer.recv(4096)
        if not more:
            raise ValueError("no handshake")
        head += more
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    key = next(value.strip() for name, _, value in lines if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _frame(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size)
    return bytes([0x80 | kind]) + length + payload


def _read_frame(peer: socket.socket) -> tuple[int, bytes]:
    first, second = _exactly(peer, 2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", _exactly(peer, 2))
    elif size == 127:
        (size,) = struct.unpack(">Q", _exactly(peer, 8))
    mask = _exactly(peer, 4) if second & 0x80 else b"\0\0\0\0"
    data = _exactly(peer, size)
    return first & 0x0F, bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))


def _exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            raise ValueError("hung up")
        data += more
    return data
