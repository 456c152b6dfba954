"""X's ids carry the time: milliseconds since its epoch, above 22 bits of machine and sequence ("snowflake", 2010)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH_MS = 1_288_834_974_657
EPOCH = datetime.fromtimestamp(EPOCH_MS / 1000, UTC)
FIRST_SNOWFLAKE = 29_700_859_247  # ids below it were counted one by one, before the epoch


def moment_of(post_id: str) -> datetime:
    """When a post was made, by its id; X's epoch for older ids, which carry no time. Wants digits."""
    number = int(post_id)
    if number < FIRST_SNOWFLAKE:
        return EPOCH
    return EPOCH + timedelta(milliseconds=min(number, 2**63 - 1) >> 22)


def id_at(moment: datetime) -> str:
    """The lowest id that a post made at `moment` can have."""
    milliseconds = int(moment.timestamp() * 1000) - EPOCH_MS
    return str(max(milliseconds, 0) << 22)
