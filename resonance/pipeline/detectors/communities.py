"""Communities whose regulars fall silent, or that turn sour: off by default, groups only, never one person.

Who belongs to a community is what was known a week ago, so that those who fell silent since still belong to it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from analysis.trends.groups import WEEKS, Mood, Silence, Turn, silence, turn
from config import Settings, Topic
from resonance.pipeline.detectors.comparable import comparable
from resonance.pipeline.detectors.people import newest_run
from resonance.pipeline.detectors.strictness import strictness
from store import Store
from store.records import Rule, Severity, Signal, iso
from store.topic_hours import floor_hour

QUIET: Rule = "community_quiet"
SOUR: Rule = "community_sour"
RULES: tuple[Rule, ...] = (QUIET, SOUR)
WEEK = timedelta(days=7)
VOICES = 3  # newest posts of an account and week that count for a mood: nobody is a community
EVIDENCE = 8


_VOICES = """WITH voices AS (
  SELECT m.created_at >= :week AS recent, p.author_id AS author_id, s.community AS community,
    m.label = 'negative' AS negative,
    ROW_NUMBER() OVER (
      PARTITION BY p.author_id, (unixepoch(:end) - unixepoch(m.created_at) - 1) / 604800 ORDER BY m.created_at DESC
    ) AS n
  FROM matches m JOIN posts p ON p.id = m.post_id
  LEFT JOIN memberships s ON s.run_id = :run AND s.account_id = p.author_id
  WHERE m.topic = :topic AND m.own = 0 AND p.author_id IS NOT NULL AND m.label IS NOT NULL
    AND m.created_at >= :start AND m.created_at < :end AND p.first_seen <= :end)
SELECT recent, COALESCE(community, ''), COUNT(*), SUM(negative), COUNT(DISTINCT author_id)
FROM voices WHERE n <= :voices GROUP BY recent, community"""


class _Group(NamedTuple):
    community: str
    label: str


def community_signals(store: Store, settings: Settings, topic: Topic, now: datetime) -> list[Signal]:
    """A signal for each community that fell silent or turned sour in the last week; none while both rules are off."""
    wanted = [rule for rule in RULES if rule in settings.alerts.rules]
    return changed(store, topic, now, wanted) if wanted else []


def changed(store: Store, topic: Topic, now: datetime, rules: list[Rule]) -> list[Signal]:
    """The same for the rules named, whatever the settings say; judged at the last whole hour."""
    end = floor_hour(now)
    run = newest_run(store, topic, end - WEEK)
    if run is None or not comparable(store, topic, end - (1 + WEEKS) * WEEK, end):
        return []
    groups = [
        _Group(*row)
        for row in store.query(
            "SELECT community, label FROM communities WHERE run_id = ? AND level = 'coarse' ORDER BY community", (run,)
        )
    ]
    found: list[Signal] = []
    if QUIET in rules:
        found += _silent(store, topic, run, groups, end)
    if SOUR in rules:
        found += _soured(store, topic, run, groups, end)
    return found


def _silent(store: Store, topic: Topic, run: int, groups: list[_Group], end: datetime) -> list[Signal]:
    weeks: dict[str, set[int]] = {}
    for row in store.query(
        "SELECT DISTINCT p.author_id, (unixepoch(:end) - unixepoch(m.created_at) - 1) / 604800 FROM matches m "
        "JOIN posts p ON p.id = m.post_id WHERE m.topic = :topic AND m.own = 0 AND p.author_id IS NOT NULL "
        "AND m.created_at >= :start AND m.created_at < :end AND p.first_seen <= :end",
        _period(topic, end),
    ):
        weeks.setdefault(row[0], set()).add(int(row[1]))
    community = dict(_pairs(store, run))
    accounts = sorted(weeks)
    seen = np.array([[week in weeks[a] for week in range(1 + WEEKS)] for a in accounts], bool).reshape(-1, 1 + WEEKS)
    of = np.array([community.get(a, "") for a in accounts], dtype=object)
    bound = strictness(store, topic, QUIET)
    found = []
    for group in groups:
        said = silence(seen, of == group.community)
        if said and said.fallen(bound):
            found.append(_quiet_signal(topic, group, said, end))
    return found


def _pairs(store: Store, run: int) -> list[tuple[str, str]]:
    rows = store.query("SELECT account_id, community FROM memberships WHERE run_id = ?", (run,))
    return [(row[0], row[1]) for row in rows]


def _period(topic: Topic, end: datetime) -> dict[str, object]:
    return {"topic": topic.slug, "start": iso(end - (1 + WEEKS) * WEEK), "end": iso(end)}


def _quiet_signal(topic: Topic, group: _Group, said: Silence, end: datetime) -> Signal:
    facts = {"direction": "down", "members": said.regulars, **_named(topic, group)}
    return _signal(QUIET, topic, group, end, said.seen, said.expected, "info", facts)


def _soured(store: Store, topic: Topic, run: int, groups: list[_Group], end: datetime) -> list[Signal]:
    moods: dict[tuple[int, str], Mood] = {}
    asked = {**_period(topic, end), "week": iso(end - WEEK), "run": run, "voices": VOICES}
    for row in store.query(_VOICES, asked):
        moods[row[0], row[1]] = Mood(row[2], row[3], row[4])
    bound = strictness(store, topic, SOUR)
    found = []
    for group in groups:
        own, before = (_together(moods, recent, group, True) for recent in (1, 0))
        others, others_before = (_together(moods, recent, group, False) for recent in (1, 0))
        said = turn(own, before, others, others_before)
        if said and said.sour(bound):
            found.append(_sour_signal(store, topic, run, group, said, own, end))
    return found


def _together(all_moods: dict[tuple[int, str], Mood], recent: int, group: _Group, inside: bool) -> Mood:
    """The group, or everybody outside it, in the last week or before."""
    moods = [m for (r, c), m in all_moods.items() if r == recent and (c == group.community) == inside]
    return Mood(sum(m.posts for m in moods), sum(m.negative for m in moods), sum(m.people for m in moods))


def _sour_signal(store: Store, topic: Topic, run: int, group: _Group, said: Turn, mood: Mood, end: datetime) -> Signal:
    facts = {"direction": "up", "posts": mood.posts, "negative": mood.negative, **_named(topic, group)}
    evidence = _negative_posts(store, topic, run, group, end)
    return _signal(SOUR, topic, group, end, said.share, said.expected, "warning", facts, evidence)


def _named(topic: Topic, group: _Group) -> dict[str, object]:
    return {"communities": [group.label], "timezone": topic.timezone}


def _signal(
    rule: Rule,
    topic: Topic,
    group: _Group,
    end: datetime,
    observed: float,
    expected: float,
    severity: Severity,
    facts: dict[str, object],
    evidence: tuple[tuple[str, float], ...] = (),
) -> Signal:
    return Signal(
        rule=rule,
        topic=topic.slug,
        subject=group.community,
        active=True,
        raised=True,
        began_at=end - WEEK,
        observed=observed,
        expected=expected,
        severity=severity,
        evidence=evidence,
        facts=facts,
        evidence_at=end,
    )


def _negative_posts(
    store: Store, topic: Topic, run: int, group: _Group, end: datetime
) -> tuple[tuple[str, float], ...]:
    """The group's negative posts of the week that were reacted to most, one of an account."""
    rows = store.query(
        "SELECT p.id, MAX((SELECT 1.0 + COALESCE(MAX(c.reshares), 0) + 0.1 * COALESCE(MAX(c.likes), 0) "
        "FROM metrics c WHERE c.post_id = p.id)) AS weight FROM matches m "
        "JOIN posts p ON p.id = m.post_id AND p.removed_at IS NULL "
        "JOIN memberships s ON s.run_id = :run AND s.account_id = p.author_id AND s.community = :community "
        "WHERE m.topic = :topic AND m.own = 0 AND m.label = 'negative' "
        "AND m.created_at >= :week AND m.created_at < :end AND p.first_seen <= :end "
        "GROUP BY p.author_id ORDER BY weight DESC, p.id LIMIT :most",
        {
            **{"topic": topic.slug, "run": run, "community": group.community, "most": EVIDENCE},
            **{"week": iso(end - WEEK), "end": iso(end)},
        },
    )
    return tuple((row[0], float(row[1] or 1.0)) for row in rows)
