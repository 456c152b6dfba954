"""Reading JSON that strangers and servers wrote: a field of a wrong type is as good as none, and nothing raises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from store.text import clean

MAX_COUNT = 2**62
Fields = Mapping[str, Any]
NOTHING: Fields = {}


def mapping(value: object) -> Fields:
    """The value as an object, or an empty one."""
    return value if isinstance(value, Mapping) else NOTHING


def items(value: object) -> list[Fields]:
    """The objects in a list; a single object counts as a list of one."""
    if isinstance(value, Mapping):
        return [value]
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def either(fields: Fields, *names: str) -> Any:
    """The first of several spellings of a field that is there and not null."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def word(value: object, limit: int = 2_000) -> str | None:
    """A short text, cleaned, or None; ids that arrive as numbers become text."""
    if isinstance(value, bool) or not isinstance(value, str | int) or (isinstance(value, int) and abs(value) > 2**64):
        return None
    return clean(str(value)[:limit]).strip() or None


def digits(value: object) -> str | None:
    """An id of digits, as text."""
    text = word(value, 40)
    return text if text and text.isascii() and text.isdecimal() and len(text) <= 20 else None


def count(value: object) -> int | None:
    """A count: not negative, not absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 0 <= value <= MAX_COUNT else None


def moment(value: object) -> datetime | None:
    """A time with a zone, in UTC; without a zone it is taken as UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        return None
    return moment if 1000 <= moment.year <= 9998 else None


def address(value: object) -> str | None:
    """An http(s) address without blanks, or None: nothing else is ever offered as a link."""
    text = word(value)
    if text is None or not text.lower().startswith(("https://", "http://")) or any(c.isspace() for c in text):
        return None
    return text
