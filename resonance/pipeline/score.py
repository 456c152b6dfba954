"""Sentiment of what is new: reads changed posts, writes their probabilities; identical texts are scored once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from analysis.sentiment.result import Sentiment
from store import Store
from store.records import iso
from store.stages import mark_of, newest_change, set_mark
from store.topic_hours import ModelKey

CHUNK = 1_000
Progress = Callable[[int], None]


class Scores(Protocol):
    """What this stage needs of a sentiment model."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> str:
        """Changes with its weights."""

    def score(self, texts: Sequence[str], languages: Sequence[str | None]) -> Sequence[Sentiment]:
        """The sentiment of each text, in order."""


def key_of(scorer: Scores) -> ModelKey:
    """Under which name results are kept."""
    return ModelKey(scorer.name, scorer.version)


def score_posts(store: Store, scorer: Scores, now: datetime, progress: Progress | None = None) -> int:
    """Score every post that has no result of this model for its present text; returns how many.

    Results are committed in pieces, and the mark moves when all is done: a stage that was killed goes on where it was.
    """
    stage = f"score:{scorer.name}:{scorer.version}"
    upto, after = newest_change(store), mark_of(store, stage)
    done = 0
    for rows in _unscored(store, key_of(scorer), after, upto):
        results = _score(store, scorer, rows)
        with store.write() as connection:
            _write(connection, rows, results, key_of(scorer), now)
        done += len(rows)
        if progress:
            progress(len(rows))
    with store.write() as connection:
        set_mark(connection, stage, upto)
    return done


def is_waiting(store: Store) -> bool:
    """Whether a post may wait to be scored; asks the change sequence only, so that no model need be loaded."""
    scored = store.one("SELECT MAX(seq) FROM marks WHERE stage LIKE 'score:%'") or 0
    return store.one("SELECT 1 FROM changes WHERE kind = 'post' AND seq > ? LIMIT 1", (scored,)) is not None


def current_model(store: Store) -> ModelKey | None:
    """The model that scored last; None when nothing has been scored."""
    stage = store.one("SELECT stage FROM marks WHERE stage LIKE 'score:%' ORDER BY seq DESC LIMIT 1")
    if stage is None:
        return None
    name, _, version = str(stage).removeprefix("score:").rpartition(":")
    return ModelKey(name, version)


def _unscored(store: Store, key: ModelKey, after: int, upto: int) -> Iterator[list[sqlite3.Row]]:
    """Posts without a result, in pieces; from the change sequence, or all of them for a model that is new here."""
    changed = "p.id IN (SELECT subject FROM changes WHERE seq > :after AND seq <= :upto AND kind = 'post') AND"
    sql = f"""
        SELECT p.pk, p.id, p.text, p.lang, p.text_hash FROM posts p
        WHERE {changed if after else ""} p.pk > :pk AND p.removed_at IS NULL AND p.reference = 0
          AND NOT EXISTS (SELECT 1 FROM sentiments s WHERE s.post_id = p.id AND s.text_hash = p.text_hash
                          AND s.model = :model AND s.version = :version)
        ORDER BY p.pk LIMIT {CHUNK}"""
    pk = 0
    while rows := store.query(sql, {"after": after, "upto": upto, "pk": pk, "model": key.name, "version": key.version}):
        yield rows
        pk = rows[-1]["pk"]


def _score(store: Store, scorer: Scores, rows: Sequence[sqlite3.Row]) -> dict[str, Sentiment]:
    """Results by text hash; what is already known for the same text is not computed again."""
    first = {row["text_hash"]: row for row in reversed(rows)}
    known = _known(store, list(first), key_of(scorer))
    fresh = [row for text_hash, row in first.items() if text_hash not in known]
    scored = scorer.score([row["text"] for row in fresh], [row["lang"] for row in fresh])
    return known | {row["text_hash"]: result for row, result in zip(fresh, scored, strict=True)}


def _known(store: Store, hashes: Sequence[str], key: ModelKey) -> dict[str, Sentiment]:
    found = {}
    for begin in range(0, len(hashes), 400):
        part = hashes[begin : begin + 400]
        for row in store.query(
            f"SELECT s.*, p.lang FROM posts p JOIN sentiments s ON s.post_id = p.id AND s.text_hash = p.text_hash "
            f"AND s.model = ? AND s.version = ? WHERE p.text_hash IN ({','.join('?' * len(part))})",
            (key.name, key.version, *part),
        ):
            found[row["text_hash"]] = Sentiment(
                row["label"],
                row["negative"],
                row["neutral"],
                row["positive"],
                bool(row["uncertain"]),
                row["lang"] or "und",
                json.loads(row["emotions"]) if row["emotions"] else None,
            )
    return found


def _write(
    connection: sqlite3.Connection,
    rows: Sequence[sqlite3.Row],
    results: dict[str, Sentiment],
    key: ModelKey,
    now: datetime,
) -> None:
    def values(row: sqlite3.Row) -> tuple[object, ...]:
        s = results[row["text_hash"]]
        emotions = None if s.emotions is None else json.dumps(s.emotions)
        probabilities = (round(s.negative, 5), round(s.neutral, 5), round(s.positive, 5))
        return (
            row["id"],
            row["text_hash"],
            key.name,
            key.version,
            s.label,
            *probabilities,
            s.uncertain,
            emotions,
            iso(now),
        )

    connection.executemany(
        "INSERT OR REPLACE INTO sentiments (post_id, text_hash, model, version, label, negative, neutral, positive, "
        "uncertain, emotions, scored_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        map(values, rows),
    )
    connection.executemany(
        "INSERT INTO changes (kind, subject) VALUES ('sentiment', ?)", [(row["id"],) for row in rows]
    )
