"""Communities and resonance of a topic's window: one run, written under `running` and read once it is `done`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version as installed

from analysis.communities.describe import CommunityProfile, describe
from analysis.communities.detect import detect
from analysis.communities.echo import echo_chamber
from analysis.communities.identity import match_communities
from analysis.graph import Interactions
from analysis.influence.exclude import counted
from analysis.influence.score import score_accounts
from analysis.words import words
from config import Settings, Topic
from resonance import __version__
from resonance.pipeline.graph_rows import Level, write_events, write_memberships, write_profiles, write_scores
from resonance.pipeline.reading import Window, exclusions, interactions
from store import Store
from store.records import iso
from store.text import fold

KEPT = 1_000  # accounts that a run keeps
SEED = 1
FEWEST = 20  # interactions below which there is nothing to find
Suspects = Callable[[Interactions], frozenset[str]]


def analyse_graph(store: Store, settings: Settings, now: datetime, suspects: Suspects | None = None) -> list[int]:
    """A run for every topic with enough interactions; returns the ids of the runs."""
    runs = [analyse_topic(store, topic, now, suspects) for topic in settings.topics]
    return [run for run in runs if run is not None]


def analyse_topic(store: Store, topic: Topic, now: datetime, suspects: Suspects | None = None) -> int | None:
    """Communities and resonance of one topic; None when there is too little to look at."""
    window = Window.of(topic, now)
    found = interactions(store, topic, window)
    if len(found) < FEWEST:
        return None
    run = _begin(store, topic, window, now)
    left = exclusions(store, topic, suspects(found) if suspects else frozenset())
    kept, left_out = counted(found, left)
    communities = detect(kept, seed=SEED)
    memberships = communities.memberships()
    coarse = _level(store, topic, run, "c", {a: c for a, (c, _) in memberships.items()})
    fine = _level(store, topic, run, "f", {a: f for a, (_, f) in memberships.items()})
    scores = score_accounts(found, now.timestamp(), seed=SEED, exclusions=left, memberships=memberships)
    echo = {e.community: e.index for e in echo_chamber(kept, communities.coarse) if e.reactions >= 30}
    profiles = _profiles(store, topic, window, memberships, kept)
    with store.write() as connection:
        write_memberships(connection, run, memberships, coarse, fine)
        write_profiles(connection, run, profiles, coarse, fine, memberships, echo)
        write_events(connection, run, topic, now, coarse, fine)
    for begin in range(0, min(KEPT, len(scores)), 250):
        with store.write() as connection:
            write_scores(connection, run, scores[begin : begin + 250], coarse, fine)
    with store.write() as connection:
        connection.execute(
            "UPDATE runs SET state = 'done', finished_at = ?, left_out = ? WHERE id = ?",
            (iso(now), json.dumps({**left_out.interactions, "total": left_out.total, "of": left_out.of}), run),
        )
    return run


def _begin(store: Store, topic: Topic, window: Window, now: datetime) -> int:
    versions = {name: installed(name) for name in ("networkx", "numpy", "scipy")} | {"resonance": __version__}
    with store.write() as connection:
        # A run that was killed left rows that nobody reads.
        dead = [
            r[0] for r in connection.execute("SELECT id FROM runs WHERE state = 'running' AND topic = ?", (topic.slug,))
        ]
        forget_runs(connection, dead)
        cursor = connection.execute(
            "INSERT INTO runs (kind, topic, state, started_at, window_from, window_to, parameters, seed, versions) "
            "VALUES ('graph', ?, 'running', ?, ?, ?, ?, ?, ?)",
            (
                *(topic.slug, iso(now), iso(window.start), iso(window.end)),
                *(json.dumps({"window_days": topic.window_days}), SEED, json.dumps(versions)),
            ),
        )
        return int(cursor.lastrowid or 0)


def forget_runs(connection: sqlite3.Connection, runs: Sequence[int]) -> None:
    """Delete runs and everything that they wrote."""
    for run in runs:
        for table in ("communities", "memberships", "resonance", "community_events"):
            connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run,))
        connection.execute("DELETE FROM evidence WHERE subject_kind = 'resonance' AND subject_id LIKE ?", (f"{run}:%",))
        connection.execute("DELETE FROM runs WHERE id = ?", (run,))


def _level(store: Store, topic: Topic, run: int, letter: str, after: Mapping[str, int]) -> Level:
    """Lasting names of one level's communities, and what became of those of the run before."""
    column = "community" if letter == "c" else "subcommunity"
    before_run = store.one(
        "SELECT MAX(id) FROM runs WHERE topic = ? AND kind = 'graph' AND state = 'done' AND id < ?", (topic.slug, run)
    )
    before = {
        row[0]: int(row[1][1:])
        for row in store.query(f"SELECT account_id, {column} FROM memberships WHERE run_id = ?", (before_run,))
    }
    used = store.one(
        "SELECT MAX(CAST(substr(c.community, 2) AS INTEGER)) FROM communities c JOIN runs r ON r.id = c.run_id "
        "WHERE r.topic = ? AND c.community LIKE ?",
        (topic.slug, f"{letter}%"),
    )
    matching = match_communities(before, after, next_identity=(used or 0) + 1)
    events = [e for e in matching.events if before and e.kind != "continued"]
    return Level({number: f"{letter}{identity}" for number, identity in matching.identity.items()}, events)


def _profiles(
    store: Store, topic: Topic, window: Window, memberships: Mapping[str, tuple[int, int]], kept: Interactions
) -> dict[str, list[CommunityProfile]]:
    rows = store.query(
        "SELECT p.author_id, p.text, p.lang, p.hashtags FROM matches m JOIN posts p ON p.id = m.post_id "
        "WHERE m.topic = ? AND m.created_at >= ? AND m.created_at < ? AND p.author_id IS NOT NULL "
        "AND p.removed_at IS NULL",
        (topic.slug, iso(window.start), iso(window.end)),
    )
    own = _own_terms(topic)
    tags = [(r["author_id"], tag) for r in rows for tag in map(fold, json.loads(r["hashtags"])) if tag not in own]
    terms = [(r["author_id"], word) for r in rows for word in words(r["text"]) if word not in own]
    languages = [(r["author_id"], r["lang"]) for r in rows if r["lang"]]
    levels = {
        "coarse": {a: c for a, (c, _) in memberships.items()},
        "fine": {a: f for a, (_, f) in memberships.items()},
    }
    return {
        level: describe(members, hashtags=tags, words=terms, languages=languages, interactions=kept)
        for level, members in levels.items()
    }


def _own_terms(topic: Topic) -> set[str]:
    """What every post of a topic says sets no community apart."""
    return {fold(term) for term in (*topic.keywords, *topic.phrases, *topic.hashtags)}
