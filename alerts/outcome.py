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
    """What the peer calls the message."""
    parts: int = 0
    """Parts of a split message that were accepted before this outcome."""
