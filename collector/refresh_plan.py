"""When a stored post is asked about again: often while it is young or moving, rarely when it is old.

Intervals grow with age (a quarter of it), so that a post is seen about equally often in each doubling of its age: the
counts of a cascade are densest where its growth is decided. What moves is asked when about five more reactions are due.
On X a post read again within its UTC day is free, the first reading of another day costs: quiet posts skip days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SOONEST = timedelta(minutes=5)
YOUNGEST = timedelta(minutes=15)
LATEST = timedelta(days=7)
OLDEST = timedelta(days=30)  # removals of older posts are seen by the sweep of retention, not by counts
REACTIONS = 5
MOVING = 1.0  # reactions in an hour
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """The next refresh; `due` is None when the post is no longer asked about."""

    due: datetime | None
    deep: bool
    priority: float


def plan(network: str, created_at: datetime, now: datetime, per_hour: float = 0.0, priority: float = 0.0) -> Plan:
    """The next refresh after one at `now`.

    `per_hour` is the growth of reshares, quotes and replies since the last one, `priority` what an analysis wishes
    (0: nothing; 1 halves the interval). The result's priority orders what is due: growth first, then wishes.
    """
    age = max(now - created_at, timedelta(0))  # a remote clock may be ahead
    moving = per_hour >= MOVING
    if age > OLDEST and not moving and priority <= 0:
        return Plan(None, False, 0.0)
    interval = min(max(age / 4, YOUNGEST), LATEST)
    if per_hour > 0:
        interval = min(interval, timedelta(hours=min(REACTIONS / per_hour, 24 * 7)))
    interval = max(interval / (1 + max(priority, 0.0)), SOONEST)
    due = now + interval
    if network == "x" and not moving and priority <= 0 and due.date() > now.date():
        due = now + min(max(age, DAY), LATEST)
    return Plan(due, moving or priority > 0 or age < timedelta(hours=1), per_hour + max(priority, 0.0))
