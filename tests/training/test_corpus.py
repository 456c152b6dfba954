"""The corpus: sound rows, no copies, no pet openings, and a development part that shares nothing with training."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from training.corpus.settle import settled

CORPUS = Path(__file__).parents[2] / "training" / "corpus"
LABELS = {"negative", "neutral", "positive"}
EMOTIONS = {"joy", "trust", "fear", "surprise", "sadness", "disgust", "anger", "anticipation"}
LIKE, GRAM = 0.5, 5
OPENING, REPEATS = 8, 5


def rows_of(folder: str) -> list[dict[str, Any]]:
    found = []
    for path in sorted((CORPUS / folder).glob("*.jsonl")):
        found += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return found


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return rows_of("batches")


def test_rows_are_sound(rows: list[dict[str, Any]]) -> None:
    assert len({row["id"] for row in rows}) == len(rows) > 0
    for row in rows:
        assert row["text"].strip() and row["label"] in LABELS and row["lang"] in {"ja", "en"}, row["id"]
        assert set(row["emotions"]) <= EMOTIONS and row["tags"] and row["brief"], row["id"]
        assert row["id"].startswith(row["batch"]), row["id"]


def test_no_two_posts_are_nearly_the_same(rows: list[dict[str, Any]]) -> None:
    grams = [{text[i : i + GRAM] for i in range(max(1, len(text) - GRAM + 1))} for text in (r["text"] for r in rows)]
    holders: dict[str, list[int]] = defaultdict(list)
    shared: Counter[tuple[int, int]] = Counter()
    for n, own in enumerate(grams):
        for gram in own:
            for other in holders[gram]:
                shared[other, n] += 1
            holders[gram].append(n)
    alike = [
        (rows[a]["id"], rows[b]["id"])
        for (a, b), common in shared.items()
        if common / (len(grams[a]) + len(grams[b]) - common) > LIKE
    ]
    assert not alike


def test_no_opening_is_worn_out(rows: list[dict[str, Any]]) -> None:
    openings = Counter(row["text"][:OPENING] for row in rows if len(row["text"]) >= OPENING)
    assert {opening: n for opening, n in openings.items() if n > REPEATS} == {}


@pytest.mark.parametrize("part", ["development", "test"])
def test_what_is_held_out_shares_no_batch_and_no_brief_with_the_rest(rows: list[dict[str, Any]], part: str) -> None:
    held = set(json.loads((CORPUS / "split.json").read_text(encoding="utf-8"))[part])
    assert held <= {row["batch"] for row in rows}
    briefs = {row["brief"] for row in rows if row["batch"] in held}
    assert briefs.isdisjoint(row["brief"] for row in rows if row["batch"] not in held)


def test_the_joined_file_is_up_to_date() -> None:
    joined = (CORPUS / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    blind = {row["id"]: row for row in rows_of("blind")}
    assert [json.loads(line) for line in joined] == settled(rows_of("batches"), blind)


def test_blind_labels_belong_to_rows(rows: list[dict[str, Any]]) -> None:
    ids = {row["id"] for row in rows}
    for row in rows_of("blind"):
        assert row["id"] in ids and row["label"] in LABELS
