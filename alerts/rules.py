"""What is particular to each rule: how long it must be quiet before it is over, and whether its end is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Habits:
    """`quiet`: this long inactive means over. `tell_end`: the end is news. `lapses`: no signal at all means inactive.

    `partners`: the rules that tell of the same event, so that the later of the two joins the earlier.
    """

    quiet: timedelta
    tell_end: bool = False
    lapses: bool = False
    partners: tuple[str, ...] = ()


HABITS: dict[str, Habits] = {
    "volume_spike": Habits(timedelta(minutes=60), tell_end=True, partners=("negative_surge", "positive_surge")),
    "negative_surge": Habits(timedelta(minutes=90), tell_end=True, partners=("volume_spike",)),
    "viral_cascade": Habits(timedelta(hours=6), lapses=True),
    "rising_user": Habits(timedelta(hours=24), lapses=True),
    "silent_source": Habits(timedelta(minutes=15), tell_end=True),
    "community_quiet": Habits(timedelta(hours=24), lapses=True),
    "community_sour": Habits(timedelta(hours=24), lapses=True),
    "emotion_surge": Habits(timedelta(minutes=90), tell_end=True),
    "positive_surge": Habits(timedelta(minutes=90), tell_end=True, partners=("volume_spike",)),
}
JOY = "positive_surge"
"""What joins it, or what it joins, grows no graver for it."""

LINK_WITHIN = timedelta(hours=6)
"""A partner's signal later than this after the incident was raised is an event of its own."""

FORGOTTEN_AFTER = timedelta(hours=24)
"""Without any word of its detector for so long, an incident ends."""

SEVERITIES = ("info", "warning", "critical")


def graver(first: str, second: str) -> str:
    """The graver of two severities."""
    return max(first, second, key=SEVERITIES.index)


def raised(severity: str) -> str:
    """One step graver."""
    return SEVERITIES[min(SEVERITIES.index(severity) + 1, len(SEVERITIES) - 1)]
