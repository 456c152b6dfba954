"""The facts of an incident: what its detector said last, and what is kept from before."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, SupportsFloat

from store.records import Signal, iso
from store.text import clean

KEPT = ("linked", "opened_severity", "muted")
"""Facts of our own; a detector's new facts never remove them."""


def facts_of(signal: Signal) -> dict[str, Any]:
    """What a detector says, as it is stored."""
    facts: dict[str, Any] = {
        "observed": signal.observed,
        "expected": signal.expected,
        "low": signal.low,
        "high": signal.high,
        "confidence": signal.confidence,
        "began_at": iso(signal.began_at),
        **signal.facts,
    }
    if signal.series:
        facts["series"] = [list(row) for row in signal.series]
    return facts


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The newest facts, the peak so far, and what this module keeps."""
    told = {**new, **{key: old[key] for key in KEPT if key in old}}
    if "series" not in told and "series" in old:
        told["series"] = old["series"]
    down = new.get("direction") == "down"
    peaks = [value for value in (old.get("peak", old.get("observed")), new["observed"]) if value is not None]
    told["peak"] = min(peaks) if down else max(peaks)
    return told


def as_json(facts: dict[str, Any]) -> str:
    """For the column `incidents.facts`: JSON as SQLite reads it, so no NaN, no infinity and no lone surrogate."""
    return json.dumps(_sound(facts), ensure_ascii=False, sort_keys=True, allow_nan=False)


def _sound(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _sound(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_sound(item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, SupportsFloat):
        return float(value) if isfinite(float(value)) else None
    return clean(str(value))
