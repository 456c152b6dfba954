"""Speed, memory and growth of resonance, and how the fast kernels compare with networkx, on made-up interactions.

python benchmarks/influence.py                  10k, 100k, 1M interactions
python benchmarks/influence.py --networkx       networkx beside, up to 100k: build, PageRank, k-core and Louvain
python benchmarks/influence.py --ablation FILE --until TIME --hours H
                                                NDCG@20 and @50 of the ranking, with each part left out, on a file
                                                of {source, target, time, kind}: the truth is what comes in the H
                                                hours after TIME
python benchmarks/influence.py --coverage FILE --until TIME
                                                how often the 90% interval of `members` held the distinct members who
                                                came in the next 24 hours, by how many were expected
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import networkx as nx
import numpy as np

from analysis.communities.detect import detect
from analysis.graph import KINDS, Interactions, to_networkx
from analysis.influence import score, score_accounts

T = TypeVar("T")


def made_up(size: int, accounts: int, seed: int = 0) -> Interactions:
    """Interactions among accounts in ten communities, popularity by a power law, over two days."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 10, accounts)
    popularity = rng.pareto(1.2, accounts) + 1
    source = rng.integers(0, accounts, size)
    target = rng.choice(accounts, size, p=popularity / popularity.sum())
    home = rng.random(size) < 0.8
    for g in range(10):
        members = np.flatnonzero(group == g)
        rows = np.flatnonzero(home & (group[source] == g))
        weight = popularity[members] / popularity[members].sum()
        target[rows] = rng.choice(members, len(rows), p=weight)
    names = [f"a{i}" for i in range(accounts)]
    moments = rng.uniform(0, 2 * 86400, size)
    kinds = rng.choice(4, size, p=[0.6, 0.1, 0.1, 0.2]).tolist()
    return Interactions.build([names[i] for i in source], [names[i] for i in target], moments, kinds)


def speed(with_networkx: bool) -> None:
    """Seconds of the processor for 10k, 100k and 1M interactions."""
    print("interactions accounts  build  communities  score  peak MiB   (CPU seconds)")
    for size in (10_000, 100_000) if with_networkx else (10_000, 100_000, 1_000_000):
        rows = made_up(size, size // 5)
        names = rows.accounts
        source, target = [names[i] for i in rows.source], [names[i] for i in rows.target]
        interactions, build = timed(
            lambda s=source, t=target, r=rows: Interactions.build(s, t, r.time, r.kind.tolist())
        )
        groups, communities = timed(lambda i=interactions: detect(i, seed=1))
        _, score = timed(
            lambda i=interactions, g=groups: score_accounts(i, 2 * 86400.0, memberships=g.memberships(), most=1_000)
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{size:12d} {len(names):8d} {build:6.2f} {communities:12.2f} {score:6.2f} {peak:9d}", flush=True)
        if with_networkx:
            beside(interactions, build + communities)


def beside(interactions: Interactions, ours: float) -> None:
    """The same graph work in networkx."""
    graph, total = timed(lambda: to_networkx(interactions))
    print(f"    networkx build: {total:.2f}")
    plain = nx.Graph(graph)
    plain.remove_edges_from(list(nx.selfloop_edges(plain)))
    for name, call in (
        ("PageRank", lambda: nx.pagerank(graph)),
        ("k-core", lambda: nx.core_number(plain)),
        ("Louvain", lambda: nx.community.louvain_communities(plain, seed=1)),
    ):
        _, took = timed(call)
        total += took
        print(f"    networkx {name}: {took:.2f}", flush=True)
    print(f"    networkx in total: {total:.2f}, {total / ours:.0f} times build and communities above", flush=True)


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call answers, and the CPU seconds that it took."""
    began = time.process_time()
    return call(), time.process_time() - began


def ndcg(truth: np.ndarray, scores: np.ndarray, k: int) -> float:
    """NDCG with gain log2(1 + truth); ties are broken by order."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    gain = np.log2(1 + truth)
    best = np.sort(gain)[::-1][:k]
    return float(gain[np.argsort(-scores, kind="stable")[:k]] @ discount[: min(k, len(gain))] / (best @ discount))


def read(path: str, until: str) -> tuple[Interactions, float]:
    """The interactions of a file, and a moment in unix seconds."""
    from resonance import tables

    skipped = tables.Skipped(path)
    rows = list(
        tables.read_rows(
            path,
            ("source", "target", "time", "kind"),
            lambda r: (r["source"], r["target"], tables.time(r, "time").timestamp(), r["kind"]),
            skipped,
        )
    )
    every = Interactions.build([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], [r[3] for r in rows])
    return every, tables.time({"until": until}, "until").timestamp()


def coverage(path: str, until: str) -> None:
    """How often the interval held, by the members expected."""
    every, cut = read(path, until)
    size, names = len(every.accounts), every.accounts
    later = (every.time >= cut) & (every.time < cut + score.HORIZON * 3600) & (every.kind <= KINDS.index("quote"))
    later &= every.source != every.target
    pairs = np.unique(every.target[later] * np.int64(size) + every.source[later])
    came = dict(zip(names, np.bincount(pairs // size, minlength=size).tolist(), strict=True))
    rows = score_accounts(every.before(cut), cut, memberships=dict.fromkeys(names, (0, 0)))
    print("expected  accounts  interval held  more came  came / expected: 5%   50%   95%")
    for least, most in ((0, 1), (1, 3), (3, 10), (10, 30), (30, np.inf)):
        some = [r for r in rows if least <= r.members < most]
        if not some:
            continue
        held = np.mean([r.members_low <= came[r.account] <= r.members_high for r in some])
        more = np.mean([came[r.account] > r.members_high for r in some])
        ratio = np.quantile([came[r.account] / r.members for r in some], [0.05, 0.5, 0.95])
        shown = " ".join(f"{q:5.2f}" for q in ratio)
        print(f"{least:3.0f}..{most:<4.0f} {len(some):9d} {held:14.3f} {more:10.3f} {shown:>34s}", flush=True)


def ablation(path: str, until: str, hours: float) -> None:
    """NDCG with each part left out."""
    every, cut = read(path, until)
    later = (every.time >= cut) & (every.time < cut + hours * 3600) & (every.kind <= KINDS.index("quote"))
    truth = np.bincount(every.target[later], minlength=len(every.accounts)).astype(float)
    before = every.before(cut)
    nobody = dict.fromkeys(every.accounts, (0, 0))
    weights = dict(score.WEIGHTS)
    for left_out in (None, *weights):
        score.WEIGHTS.clear()
        score.WEIGHTS.update({k: v for k, v in weights.items() if k != left_out})
        found = {row.account: row.resonance for row in score_accounts(before, cut, memberships=nobody)}
        scores = np.array([found.get(name, 0.0) for name in every.accounts])
        name = f"without {left_out}" if left_out else "all parts"
        print(f"{name:20s} NDCG@20 {ndcg(truth, scores, 20):.3f}  NDCG@50 {ndcg(truth, scores, 50):.3f}", flush=True)
    score.WEIGHTS.clear()
    score.WEIGHTS.update(weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networkx", action="store_true")
    parser.add_argument("--ablation", metavar="FILE")
    parser.add_argument("--coverage", metavar="FILE")
    parser.add_argument("--until")
    parser.add_argument("--hours", type=float, default=24)
    told = parser.parse_args()
    if (told.ablation or told.coverage) and not told.until:
        sys.exit("--ablation and --coverage need --until TIME")
    if told.coverage:
        coverage(told.coverage, told.until)
    elif told.ablation:
        ablation(told.ablation, told.until, told.hours)
    else:
        speed(told.networkx)


if __name__ == "__main__":
    main()
