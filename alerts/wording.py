"""Numbers, times and sentences as people of each language read them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

from config.settings import Language

WEEKDAYS_JA = "月火水木金土日"
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@cache
def strings(language: Language) -> dict[str, Any]:
    """Everything alerts say in that language."""
    return tomllib.loads(files("alerts").joinpath(f"strings_{language}.toml").read_text(encoding="utf-8"))


def fill(template: str, values: Mapping[str, str | None]) -> str | None:
    """The sentence, or None when something that it names is unknown. Values are inserted as they are, never parsed."""
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    if any(values.get(name) is None for name in names):
        return None
    return template.format_map(values)


def sentences(alternatives: Iterable[Sequence[str]], values: Mapping[str, str | None]) -> list[str]:
    """For each sentence the first alternative that can be filled."""
    told = (next((s for t in group if (s := fill(t, values)) is not None), None) for group in alternatives)
    return [sentence for sentence in told if sentence is not None]


def number(value: float | None) -> str | None:
    """1,234 · 6.2 · 0.45"""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    if abs(value) >= 10 or float(value).is_integer():
        return f"{round(value):,}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def percent(value: float | None) -> str | None:
    """42%; chances are never said to be 0% or 100% when they are not."""
    if value is None or value != value:
        return None
    points = value * 100
    if 0 < points < 1:
        return "<1%"
    if 99 < points < 100:
        return ">99%"
    return f"{points:.0f}%"


def unit(language: Language, name: str, n: str | None) -> str | None:
    """`48件`, `48 posts`, `1 post`."""
    if n is None:
        return None
    if language == "en" and n == "1":
        return str(strings(language)["units"][name]).format(n=n).removesuffix("s")
    return str(strings(language)["units"][name]).format(n=n)


def span(language: Language, low: str | None, high: str | None) -> str | None:
    """`2〜14`, `2 to 14`."""
    return None if low is None or high is None else strings(language)["units"]["range"].format(low=low, high=high)


def duration(language: Language, length: timedelta) -> str:
    """`45分`, `3時間`, `2 days`."""
    minutes = max(1, round(length.total_seconds() / 60))
    if minutes < 120 and minutes != 60:
        name, n = "minutes", minutes
    elif minutes < 48 * 60:
        name, n = "hours", round(minutes / 60)
    else:
        name, n = "days", round(minutes / 1440)
    return str(strings(language)["units"][name].format(n=n))


def clock(language: Language, moment: datetime, zone: tzinfo) -> str:
    """`11月22日(日) 18:30`, `Sun 22 Nov, 18:30`."""
    local = moment.astimezone(zone)
    if language == "ja":
        return f"{local.month}月{local.day}日({WEEKDAYS_JA[local.weekday()]}) {local:%H:%M}"
    return f"{WEEKDAYS_EN[local.weekday()]} {local.day} {MONTHS_EN[local.month - 1]}, {local:%H:%M}"


def day(language: Language, moment: date) -> str:
    """`11月22日(日)`, `Sun 22 Nov`."""
    if language == "ja":
        return f"{moment.month}月{moment.day}日({WEEKDAYS_JA[moment.weekday()]})"
    return f"{WEEKDAYS_EN[moment.weekday()]} {moment.day} {MONTHS_EN[moment.month - 1]}"


def change(language: Language, ratio: float) -> str:
    """How much more or less: `23%増`, `12%減`, `ほぼ横ばい`; `23% more`, `12% less`, `about the same`."""
    words = strings(language)["change"]
    name = "same" if abs(ratio) < 0.05 else "more" if ratio > 0 else "less"
    return str(words[name]).format(n=f"{abs(ratio) * 100:,.0f}%")


def confidence_words(language: Language, value: float) -> str:
    """How far beyond the usual, in words: a score is no frequency of being right."""
    words = strings(language)["confidence"]
    return str(next(words[step] for step in ("90", "75", "0") if value * 100 >= int(step)))


def sparkline(values: Sequence[float | None], width: int = 24) -> str:
    """The last values as blocks ▁▂▃▄▅▆▇█, a blank where unknown; empty when fewer than four are known."""
    tail = list(values)[-width:]
    known = [value for value in tail if value is not None]
    if len(known) < 4:
        return ""
    low, high = min(0.0, *known), max(known)
    scale = 7 / (high - low) if high > low else 0
    return "".join(" " if v is None else "▁▂▃▄▅▆▇█"[round((v - low) * scale)] for v in tail)
