"""Joins the batches with their blind labels into corpus.jsonl, and prints the table of the README.

`python training/corpus/settle.py`. A row keeps the writer's label and the blind one; where they differ, or the blind
reader doubted, the settled label is null: such a row is not trained on and not measured on.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LABELS = ("negative", "neutral", "positive")
Row = dict[str, Any]


def read(folder: str) -> list[Row]:
    """Every row of a folder's files, in order of the files."""
    paths = sorted((HERE / folder).glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def settled(rows: list[Row], blind: dict[str, Row]) -> list[Row]:
    """The rows with three labels each."""
    found = []
    for row in rows:
        second = blind.get(row["id"], {})
        agreed = second.get("label") == row["label"] and not second.get("doubt")
        kept = {key: row[key] for key in ("id", "brief", "batch", "lang", "text", "emotions", "tags")}
        kept |= {"writer_label": row["label"], "blind_label": second.get("label"), "doubt": bool(second.get("doubt"))}
        kept["blind_emotions"] = second.get("emotions")
        found.append(kept | {"label": row["label"] if agreed else None})
    return found


def kappa(rows: list[Row]) -> float:
    """Cohen's kappa of writer and blind reader."""
    pairs = [(r["writer_label"], r["blind_label"]) for r in rows]
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    agreed = sum(a == b for a, b in pairs) / len(pairs)
    chance = sum(first[label] * second[label] for label in LABELS) / len(pairs) ** 2
    return (agreed - chance) / (1 - chance)


def line(name: str, rows: list[Row]) -> str:
    """One line of the table."""
    counts = Counter(r["writer_label"] for r in rows)
    shares = " / ".join(f"{100 * counts[label] / len(rows):.0f}" for label in LABELS)
    dropped = sum(r["label"] is None for r in rows) / len(rows)
    return f"| {name} | {len(rows)} | {shares} | {kappa(rows):.3f} | {100 * dropped:.1f}% |"


def main() -> None:
    """Write corpus.jsonl and print the table."""
    rows = settled(read("batches"), {row["id"]: row for row in read("blind")})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (HERE / "corpus.jsonl").write_text(text, encoding="utf-8")
    print("| part | rows | negative / neutral / positive, % | kappa | dropped |\n|---|---|---|---|---|")
    for key in ("lang", "batch"):
        for name in sorted({row[key] for row in rows}):
            print(line(name, [row for row in rows if row[key] == name]))
    for tag in sorted({tag for row in rows for tag in row["tags"]}):
        print(line(f"tag {tag}", [row for row in rows if tag in row["tags"]]))


if __name__ == "__main__":
    main()
