"""What the model learns from: public sets and our own corpus, without what stands in a held-out part.

Each example has a text as the model reads it, and a sentiment, emotions, or both; what a set does not tell is not
learned.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from store.text import content_hash, for_model

LABELS = ("negative", "neutral", "positive")
EMOTIONS = ("joy", "trust", "fear", "surprise", "sadness", "disgust", "anger", "anticipation")
Row = dict[str, Any]

# GoEmotions' names in Plutchik's eight: his dyads (love is joy and trust, remorse sadness and disgust) or the nearest.
PLUTCHIK: dict[str, tuple[str, ...]] = {
    "admiration": ("trust",), "amusement": ("joy",), "anger": ("anger",), "annoyance": ("anger",),
    "approval": ("trust",), "caring": ("trust",), "confusion": ("surprise",), "curiosity": ("anticipation",),
    "desire": ("anticipation",), "disappointment": ("sadness",), "disapproval": ("disgust",), "disgust": ("disgust",),
    "embarrassment": ("sadness",), "excitement": ("joy", "anticipation"), "fear": ("fear",),
    "gratitude": ("joy", "trust"),
    "grief": ("sadness",), "joy": ("joy",), "love": ("joy", "trust"), "nervousness": ("fear",),
    "optimism": ("anticipation",), "pride": ("joy",), "realization": ("surprise",), "relief": ("joy",),
    "remorse": ("sadness", "disgust"), "sadness": ("sadness",), "surprise": ("surprise",), "neutral": (),
}  # fmt: skip
CORPUS = Path(__file__).parent.parent / "corpus"
COPIES = 2
"""How often a post of our own corpus stands in one epoch."""
QUOTAS = {"semeval": 20_000, "umsab": 6_500, "hindi": 1_827, "chabsa": 250, "goemotions": 6_500, "xed": 6_000}
"""Examples of each public set in one epoch, beside the corpus."""
LEFT_OUT = {"umsab": ("en", "hi")}
"""UMSAB's English lies almost wholly inside TweetEval's validation part; its Hindi labels do not fit their texts, so
the source `hindi` has ours."""


@dataclass(frozen=True)
class Example:
    """`sentiment`: index in LABELS, -1 unknown; `emotions`: eight 0 or 1 in the order of EMOTIONS, None unknown;
    `taught`: chances of LABELS that a teacher gives (training.sentiment.teach), None unknown."""

    text: str
    lang: str
    source: str
    sentiment: int = -1
    emotions: tuple[float, ...] | None = None
    taught: tuple[float, ...] | None = None


def read_rows(path: Path) -> Iterator[Row]:
    """The objects of a file of JSON lines, packed or not. Raises ValueError that names the line which is none."""
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number} is no JSON object: {error}") from None
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number} is no JSON object but {line[:40].rstrip()!r}")
            yield row


def to_eight(names: Iterable[str]) -> tuple[float, ...]:
    """Emotion names (Plutchik's or GoEmotions') as eight numbers, 0 or 1."""
    found = {target for name in names for target in ((name,) if name in EMOTIONS else PLUTCHIK.get(name, ()))}
    return tuple(float(name in found) for name in EMOTIONS)


def example(row: Row, source: str) -> Example:
    """A row of any of the sets; labels that are not ours count as unknown."""
    label = row.get("label")
    emotions = to_eight(row["emotions"]) if isinstance(row.get("emotions"), list) else None
    sentiment = LABELS.index(label) if label in LABELS else -1
    return Example(for_model(row["text"]), row.get("lang", "und"), source, sentiment, emotions)


# ------------------------------------------------------------------ our own corpus
def split(folder: Path) -> dict[str, frozenset[str]]:
    """The batches that are kept out of training: `development`, on which choices are made, and `test`, which is read
    once they are."""
    found = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    return {part: frozenset(found.get(part, ())) for part in ("development", "test")}


def corpus(folder: Path, part: str) -> list[Row]:
    """The rows of a part (training, development or test) whose label writer and blind reader settled."""
    held = {batch: name for name, batches in split(folder).items() for batch in batches}
    rows = read_rows(folder / "corpus.jsonl")
    return [row for row in rows if row["label"] in LABELS and held.get(row["batch"], "training") == part]


# ------------------------------------------------------------------ UMSAB's Hindi
HINDI = Path(__file__).parent / "umsab_hindi.jsonl"


def hindi(data: Path, part: str) -> list[Row]:
    """UMSAB's Hindi posts (`train` or `val`) with labels of ours in place of UMSAB's, which do not fit their texts:
    `given` is theirs."""
    ours = {row["text_sha256"]: row["label"] for row in read_rows(HINDI) if row["part"] == part}
    posts = (row for row in read_rows(data / "sentiment" / f"umsab.{part}.jsonl.gz") if row["lang"] == "hi")
    labels = ((row, ours.get(content_hash(row["text"]))) for row in posts)
    return [row | {"given": row["label"], "label": label} for row, label in labels if label]


# ------------------------------------------------------------------ all together
@dataclass(frozen=True)
class Sets:
    """Public examples by source, and the hashes of texts that must not be learned."""

    public: dict[str, list[Example]]
    held_out: frozenset[str]
    folder: Path

    def epoch(self, seed: int, without: Collection[str] = (), quotas: Mapping[str, int] = QUOTAS) -> list[Example]:
        """The corpus as it is now, but for the batches `without`, and a sample of each public set; in random order."""
        chance = random.Random(seed)
        rows = [row for row in corpus(self.folder, "training") if row["batch"] not in without]
        found = [example(row, "corpus") for row in unseen(rows, self.held_out)] * COPIES
        for source, quota in quotas.items():
            public = self.public.get(source, [])
            found += chance.sample(public, min(quota, len(public)))
        chance.shuffle(found)
        return found


def unseen(rows: Iterable[Row], held_out: frozenset[str]) -> list[Row]:
    """Rows whose text is new: neither held out nor a repetition."""
    out, known = [], set(held_out)
    for row in rows:
        key = content_hash(row["text"])
        if key not in known:
            known.add(key)
            out.append(row)
    return out


def taught(examples: Iterable[Example], lessons: Path) -> list[Example]:
    """The examples with the teacher's answers; those of which neither label nor answer is known are dropped."""
    known = {row["text_sha256"]: tuple(row["chances"]) for row in read_rows(lessons)}
    asked = (replace(e, taught=known.get(content_hash(e.text))) for e in examples)
    return [e for e in asked if e.taught or e.sentiment >= 0]


def gather(data: Path, folder: Path, lessons: Path | None = None) -> Sets:
    """The public sets in `data` (sentiment/, emotion/) and the corpus in `folder`; `lessons` is what teach.py wrote."""
    held = [data / "sentiment" / f"{name}.val.jsonl.gz" for name in ("tweeteval", "umsab")]
    held.append(data / "emotion" / "goemotions.dev.jsonl.gz")
    texts = [row["text"] for path in held for row in read_rows(path)]
    texts += [row["text"] for part in ("development", "test") for row in corpus(folder, part)]
    held_out = frozenset(map(content_hash, texts))
    files = {
        "semeval": data / "sentiment" / "semeval.train.jsonl.gz",
        "umsab": data / "sentiment" / "umsab.train.jsonl.gz",
        "chabsa": data / "sentiment" / "chabsa.train.jsonl.gz",
        "goemotions": data / "emotion" / "goemotions.train.jsonl.gz",
        "xed": data / "emotion" / "xed.jsonl.gz",
    }
    public = {}
    for source, path in files.items():
        rows = (row for row in read_rows(path) if row.get("lang") not in LEFT_OUT.get(source, ()))
        rows = (row for row in rows if source != "chabsa" or int(row["id"].rpartition("-")[2]) % 5)
        public[source] = [example(row, source) for row in unseen(rows, held_out)]
        random.Random(0).shuffle(public[source])
    public["hindi"] = [example(row, "hindi") for row in unseen(hindi(data, "train"), held_out)]
    if lessons:
        public = {source: taught(examples, lessons) for source, examples in public.items()}
    return Sets(public, held_out, folder)


def batches(examples: Sequence[Example], ids: Sequence[list[int]], size: int, seed: int) -> list[list[int]]:
    """Indices in batches of like length, in random order; pools of 40 batches keep chance alive."""
    chance, out = random.Random(seed), []
    pool = 40 * size
    for start in range(0, len(examples), pool):
        order = sorted(range(start, min(start + pool, len(examples))), key=lambda i: len(ids[i]))
        out += [order[i : i + size] for i in range(0, len(order), size)]
    chance.shuffle(out)
    return out
