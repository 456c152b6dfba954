"""Plain short sentences in eight languages, written by hand: how many the model reads right, and which it does not.

    python benchmarks/sentiment_plain.py [--model embedded]

A probe, not a test set: few sentences (plain_sentences.jsonl, ours, CC0). Those in Japanese and English were chosen
while looking at what earlier models got wrong. Opposite: negative read as positive or the other way round.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from analysis.sentiment import load

SENTENCES = Path(__file__).parent / "plain_sentences.jsonl"
OPPOSITE = {"negative": "positive", "positive": "negative"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    scorer = load(parser.parse_args().model)
    rows = [json.loads(line) for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    read = list(zip(rows, scorer.score([r["text"] for r in rows], [r["lang"] for r in rows]), strict=True))
    print(f"model {scorer.name}@{scorer.version}\n\n| | n | right | opposite | uncertain |\n|---|---|---|---|---|")
    for group in dict.fromkeys(row["group"] for row in rows):
        here = [(row["label"], mood) for row, mood in read if row["group"] == group]
        right = sum(mood.label == label for label, mood in here)
        opposite = sum(mood.label == OPPOSITE[label] for label, mood in here)
        print(f"| {group} | {len(here)} | {right} | {opposite} | {sum(mood.uncertain for _, mood in here)} |")
    print("\nNot read right:")
    for row, mood in read:
        if mood.label != row["label"]:
            print(f"  {row['group']}: {row['text']}: {mood.label} {getattr(mood, mood.label):.2f}")


if __name__ == "__main__":
    main()
