"""The embedded sentiment model beside what teams run today, in one run, on the development part of training/corpus.

    python -m venv PEERS && PEERS/bin/pip install oseti==0.4 asari==0.2.0 mecab-python3 ipadic
    python benchmarks/sentiment_peers.py [--peers PEERS/bin/python] [--posts 200] [--threads 2] [--model embedded]

Quality, Japanese posts: macro F1 beside oseti (a lexicon: the mean of its sentences; none found is neutral) and asari
(positive or negative; neutral below a confidence that is chosen, in its favour, on these very posts). They need another
transformers than ours, so they run under `--peers`; asari needs the locale en_US.UTF-8.
Speed: posts per second beside a network in the shape of XLM-R base (random weights, same texts and word pieces) in the
default pipeline of transformers: PyTorch, one text a call. What is not there is named and left out. Prints JSON.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sentiment_corpus import Row, posts
from sentiment_corpus import macro_f1 as macro_f1_of

from analysis.sentiment import LABELS, load
from analysis.sentiment.onnx import quiet_transformers

MODEL = Path(__file__).parent.parent / "analysis" / "sentiment" / "model"
Labels = list[str]


def development(language: str) -> list[Row]:
    """The corpus' settled development posts in a language."""
    return [row for row in posts("development") if row["lang"] == language]


def macro_f1(truth: Sequence[str], said: Sequence[str]) -> float:
    """Mean F1 of the labels."""
    return macro_f1_of(*(np.array([LABELS.index(label) for label in labels]) for labels in (truth, said)))


ASK_PEERS = """
import json, sys
texts = json.load(sys.stdin)
import ipadic, oseti
from asari.api import Sonar
analyser, sonar = oseti.Analyzer(ipadic.MECAB_ARGS), Sonar()
json.dump({"oseti": [analyser.analyze(t) for t in texts], "asari": [sonar.ping(text=t)["classes"] for t in texts]}, sys.stdout)
"""  # noqa: E501


def peer_labels(python: str, texts: Sequence[str], truth: Sequence[str]) -> dict[str, Labels]:
    """What oseti (the sign of the mean of its sentences) and asari say, asked in their own environment."""
    asked = json.dumps(list(texts))
    done = subprocess.run([python, "-c", ASK_PEERS], input=asked, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    most = [max(classes, key=lambda c: c["confidence"]) for classes in found["asari"]]

    def asari(bound: float) -> Labels:
        return [one["class_name"] if one["confidence"] >= bound else "neutral" for one in most]

    best = max(np.arange(0.5, 1, 0.01), key=lambda bound: macro_f1(truth, asari(bound)))
    return {"oseti": [LABELS[1 + int(np.sign(np.mean(s or [0])))] for s in found["oseti"]], "asari": asari(best)}


def xlm_r(threads: int) -> Callable[[Sequence[str]], object]:
    """A default pipeline with a network in the shape of XLM-R base."""
    transformers = quiet_transformers()
    import torch

    torch.set_num_threads(threads)
    config = transformers.XLMRobertaConfig(
        vocab_size=250_002, max_position_embeddings=514, num_labels=3, type_vocab_size=1, pad_token_id=1
    )
    network = transformers.XLMRobertaForSequenceClassification(config).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL, local_files_only=True)
    pipe = transformers.pipeline("text-classification", model=network, tokenizer=tokenizer, truncation=True)
    return lambda texts: [pipe(text) for text in texts]


def rate(run: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """Posts per second of wall clock, after a few to warm up."""
    run([f"{text} " for text in texts[:5]])
    began = time.perf_counter()
    run(texts)
    return len(texts) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="the Python of an environment with oseti and asari")
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="embedded")
    given = parser.parse_args()
    has_torch = importlib.util.find_spec("torch") is not None
    missing = [*([] if has_torch else ["torch"]), *([] if given.peers else ["oseti", "asari"])]
    scorer = load(given.model, threads=given.threads)
    rows = development("ja")
    texts, truth = [r["text"] for r in rows], [r["label"] for r in rows]
    quality = {"resonance": macro_f1(truth, [mood.label for mood in scorer.score(texts)])}
    if given.peers:
        said = peer_labels(given.peers, texts, truth)
        quality |= {name: macro_f1(truth, labels) for name, labels in said.items()}
    both = [text for pair in zip(texts, [r["text"] for r in development("en")], strict=False) for text in pair]
    mixed = both[: given.posts]
    model = load(given.model, threads=given.threads)  # afresh: a scorer remembers what it has scored
    speed = {"resonance": rate(model.score, mixed)}
    if has_torch:
        speed["xlm_r_shaped"] = rate(xlm_r(given.threads), mixed)
        speed["ratio"] = speed["resonance"] / speed["xlm_r_shaped"]
    report = {
        "not_measured": missing,
        "macro_f1_ja": {"posts": len(rows)} | {name: round(value, 3) for name, value in quality.items()},
        "posts_per_s": {"posts": len(mixed), "threads": given.threads}
        | {name: round(value, 1) for name, value in speed.items()},
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
