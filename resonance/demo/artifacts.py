"""What the loopback receivers got, as files that people can open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Where each thing lies; only what arrived."""

    files: list[tuple[str, Path]]


def write_artifacts(folder: Path) -> Artifacts:
    """Take the messages apart: Slack's JSON and text, the email's HTML, text and chart."""
    received = folder / "received"
    files: list[tuple[str, Path]] = []
    for source in sorted((received / "slack").glob("message-*.json")):
        text = source.with_suffix(".txt")
        text.write_text(_slack_text(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
        files += [("Slack message (JSON)", source), ("Slack message (text)", text)]
    for source in sorted((received / "mail").glob("mail-*.eml")):
        message = message_from_bytes(source.read_bytes(), policy=policy.default)
        files += _mail(message, source)
    return Artifacts(files)


def _slack_text(message: dict[str, object]) -> str:
    body = message.get("payload", message)
    return str(body.get("text", "")) + "\n" if isinstance(body, dict) else ""


def _mail(message: EmailMessage, source: Path) -> list[tuple[str, Path]]:
    files = [("Email", source)]
    charts: dict[str, str] = {}
    for part in message.walk():
        if part.get_content_type() == "image/png":
            path = source.with_suffix(".png")
            path.write_bytes(part.get_content())
            charts[str(part.get("Content-ID", "")).strip("<>")] = path.name
            files.append(("Chart (PNG)", path))
    for kind, suffix in (("plain", ".txt"), ("html", ".html")):
        body = message.get_body((kind,))
        if body is not None:
            text = body.get_content()
            for cid, name in charts.items():
                text = text.replace(f"cid:{cid}", name)
            path = source.with_suffix(suffix)
            path.write_text(text, encoding="utf-8")
            files.append((f"Email ({'text' if kind == 'plain' else 'HTML'})", path))
    return files
