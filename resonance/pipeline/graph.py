"""Communities and resonance of a topic's window: one run, written under `running` and read once it is `done`."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version as installed
from typing import TypeVar

from analysis.communities.describe import CommunityProfile, describe
from analysis.communities.detect import detect
from analysis.communities.echo import echo_chamber
from analysis.communities.identity import match_communities
from analysis.coordination import suspected
from analysis.graph import Interactions
from analysis.influence.exclude import counted
from analysis.influence.score import score_accounts
from analysis.words import words
from config import Settings, Topic
from resonance import __version__
from resonance.pipeline.graph_rows import Level, write_events, write_memberships, write_profiles, write_scores
from resonance.pipeline.reading import Window, exclusions, interactions, pieces
from store import Store
from store.records import iso
from store.suspects import touch_changed, write_suspects
from store.text import fold

KEPT = 1_000  # accounts that a run keeps
SEED = 1
FEWEST = 20  # interactions below which there is nothing to find
READ = 500  # members of a community whose posts are read to describe it
T = TypeVar("T")


def analyse_graph(store: Store, settings: Settings, now: datetime) -> list[int]:
    """A run for every topic with enough interactions; returns the ids of the runs."""
    runs = [analyse_topic(store, topic, now) for topic in settings.topics]
    return [run for run in runs if run is not None]


def analyse_topic(store: Store, topic: Topic, now: datetime) -> int | None:
    """Communities and resonance of one topic; None when there is too little to look at."""
    window = Window.of(topic, now)
    found = interactions(store, topic, window)
    if len(found) < FEWEST:
        return None
    run = _begin(store, topic, window, now)
    left = exclusions(store, topic, window, found, suspected(found))
    left_out = counted(found, left)[1]
    kept = counted(found, replace(left, newcomers=frozenset()))[0]  # those who came for one belong to its community
    communities = detect(kept, seed=SEED)
    memberships = communities.memberships()
    coarse = _level(store, topic, run, "c", {a: c for a, (c, _) in memberships.items()})
    fine = _level(store, topic, run, "f", {a: f for a, (_, f) in memberships.items()})
    scores = score_accounts(found, now.timestamp(), seed=SEED, exclusions=left, memberships=memberships, most=KEPT)
    echo = {e.community: e.index for e in echo_chamber(kept, communities.coarse) if e.reactions >= 30}
    profiles = _profiles(store, topic, window, memberships, kept)
    _write(store, list(memberships.items()), lambda c, rows: write_memberships(c, run, rows, coarse, fine))
    for level, described in profiles.items():
        parents = {f: coarse.names[c] for c, f in memberships.values()} if level == "fine" else {}
        names, index = (fine, {}) if level == "fine" else (coarse, echo)
        _write(store, described, lambda c, rows: write_profiles(c, run, level, rows, names, parents, index))  # noqa: B023
    with store.write() as connection:
        write_events(connection, run, topic, now, coarse, fine)
    _write(store, scores, lambda c, rows: write_scores(c, run, rows, coarse, fine), 250)
    with store.write() as connection:
        write_suspects(connection, run, left.coordinated)
        touch_changed(connection, topic.slug, run, iso(window.start))
        connection.execute(
            "UPDATE runs SET state = 'done', finished_at = ?, left_out = ? WHERE id = ?",
            (iso(now), json.dumps({**left_out.interactions, "total": left_out.total, "of": left_out.of}), run),
        )
    return run


def _write(
    store: Store, rows: Sequence[T], write: Callable[[sqlite3.Connection, Sequence[T]], None], most: int = 2_000
) -> None:
    """Many rows in several short transactions."""
    for begin in range(0, len(rows), most):
        with store.write() as connection:
            write(connection, rows[begin : begin + most])


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
        for table in ("communities", "memberships", "resonance", "community_events", "suspects"):
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
        account: int(name[1:])
        for piece in pieces(store, f"SELECT account_id, {column} FROM memberships WHERE run_id = ?", (before_run,))
        for account, name in piece
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
    own = _own_terms(topic)
    tags: set[tuple[str, str]] = set()
    terms: set[tuple[str, str]] = set()
    languages: list[tuple[str, str]] = []
    for author, text, language, hashtags in _posts(store, topic, window, _authors(memberships)):
        tags.update((author, tag) for tag in map(fold, json.loads(hashtags)) if tag not in own)
        terms.update((author, word) for word in words(text) if word not in own)
        languages += [(author, language)] if language else []
    levels = {
        "coarse": {a: c for a, (c, _) in memberships.items()},
        "fine": {a: f for a, (_, f) in memberships.items()},
    }
    return {
        level: describe(members, hashtags=tags, words=terms, languages=languages, interactions=kept)
        for level, members in levels.items()
    }


def _authors(memberships: Mapping[str, tuple[int, int]]) -> list[str]:
    """Members whose posts describe their communities: of a large fine community, some picked at random."""
    members: dict[int, list[str]] = {}
    for account, (_, fine) in memberships.items():
        members.setdefault(fine, []).append(account)
    rng = random.Random(SEED)
    return [a for group in members.values() for a in (group if len(group) <= READ else rng.sample(group, READ))]


def _posts(
    store: Store, topic: Topic, window: Window, authors: Sequence[str]
) -> Iterator[tuple[str, str, str | None, str]]:
    """Author, text, language and hashtags of the posts of some authors in the window."""
    sql = (
        "SELECT p.author_id, p.text, p.lang, p.hashtags FROM posts p "
        "WHERE p.author_id IN (SELECT value FROM json_each(?)) AND p.created_at >= ? AND p.created_at < ? "
        "AND p.removed_at IS NULL AND EXISTS (SELECT 1 FROM matches m WHERE m.topic = ? AND m.post_id = p.id)"
    )
    for begin in range(0, len(authors), 1_000):
        some = json.dumps(authors[begin : begin + 1_000])
        for piece in pieces(store, sql, (some, iso(window.start), iso(window.end), topic.slug)):
            yield from piece


def _own_terms(topic: Topic) -> set[str]:
    """What every post of a topic says sets no community apart."""
    return {fold(term) for term in (*topic.keywords, *topic.phrases, *topic.hashtags)}
