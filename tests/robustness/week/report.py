"""The table of what was tried and what happened, as docs/operations.md shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from tests.robustness.week.audit import Found
from tests.robustness.week.play import Played
from tests.robustness.week.troubles import Trouble

_NAMES = re.compile(r"127\.0\.0\.1:\d+: |x: |`|\|")
_UNTIL = re.compile(r" ?It goes on at \S+Z\.?.*")
_ADVICE = re.compile(
    r" (Nothing is lost|The next round|Nothing was stored|See the plan|Check x\.|Set access|They are tried|If that).*"
)


def lines(played: Played, found: Found) -> Iterator[str]:
    """Markdown."""
    yield "| tried | acted | the first error told | all well again after |"
    yield "|---|---|---|---|"
    for trouble in played.troubles:
        yield f"| {trouble.told} | {trouble.hits} | {_said(trouble)} | {_after(trouble)} |"
    for at, kind in played.interruptions:
        yield f"| {kind} to the daemon, day {(at - played.story.begins).days + 1} | 1 | | |"
    yield ""
    for name, count in sorted(found.counts.items()):
        yield f"- {name}: {count}"
    for gap in found.gaps:
        yield f"- recorded gap: {gap}"
    yield (
        f"- read, scored, summed and told {_span(played.caught_up - played.story.ends)} after the last day"
        if (played.caught_up)
        else "- NOT caught up in the end"
    )
    yield ""
    yield "| day | mean MiB | highest | without children |"
    yield "|---|---|---|---|"
    for day in played.memory.days():
        yield f"| {day} | " + " | ".join(f"{size:.0f}" for size in played.memory.of(day)) + " |"
    for told in found.wrong:
        yield f"WRONG: {told}"


def _said(trouble: Trouble) -> str:
    """What the job said, without names, times and advice."""
    first = next(iter(trouble.errors), "")
    return _ADVICE.sub("", _UNTIL.sub("", _NAMES.sub("", first))).strip()


def _after(trouble: Trouble) -> str:
    if trouble.first is None:
        return "never met"
    return _span(trouble.over - trouble.last) if trouble.over and trouble.last else "not within the week"


def _span(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
