"""How one attempt at a channel ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Outcome:
    """`retry`: the peer certainly did not take it; `maybe_sent`: nobody can know; `failed`: trying again is no use."""

    state: Literal["sent", "retry", "failed", "maybe_sent"]
    detail: str = ""
    """For people, without secrets."""
    retry_after: float | None = None
    """Seconds that the peer asks us to wait."""
    ref: str | None = None
    """What the peer calls the message; of a thread, its first one."""
    parts: int = 0
    """Parts of a split message that were accepted before this outcome."""

    @property
    def kept(self) -> str | None:
        """What is kept in `deliveries.peer_ref` of a message that has not gone out whole."""
        parts = f"parts:{self.parts}" if self.parts else ""
        return " ".join(word for word in (parts, self.ref) if word) or None


def parts_done(peer_ref: str | None) -> int:
    """Parts of a split message that were accepted, by `deliveries.peer_ref`."""
    word = next((w for w in (peer_ref or "").split() if w.startswith("parts:")), "parts:0")
    return int(word.removeprefix("parts:"))
