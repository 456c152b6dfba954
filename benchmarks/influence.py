"""Speed, memory and growth of resonance, and how the fast kernels compare with networkx, on made-up interactions.

python benchmarks/influence.py                  10k, 100k, 1M interactions
python benchmarks/influence.py --networkx       PageRank, k-core and Louvain in networkx beside, up to 100k
python benchmarks/influence.py --ablation FILE --until TIME --hours H
                                                NDCG@20 and @50 of the ranking, with each part left out, on a file
                                                of {source, target, time, kind}: the truth is what comes in the H
                                                hours after TIME
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import networkx as nx
import numpy as np

from analysis.communities.detect import detect
from analysis.graph import KINDS, Interactions, to_networkx
from analysis.influence import score, score_accounts


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
    """Seconds for 10k, 100k and 1M interactions."""
    print("interactions accounts  build  communities  whole score  peak MiB")
    for size in (10_000, 100_000, 1_000_000):
        began = time.perf_counter()
        interactions = made_up(size, size // 5)
        built = time.perf_counter()
        detect(interactions, seed=1)
        found = time.perf_counter()
        rows = score_accounts(interactions, 2 * 86400.0, seed=1)
        done = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"{size:12d} {len(rows):8d} {built - began:6.2f} {found - built:12.2f} {done - found:12.2f} {peak:9d}",
            flush=True,
        )
        if with_networkx and size <= 100_000:
            graph = to_networkx(interactions)
            for name, call in (
                ("PageRank", lambda g: nx.pagerank(g)),
                ("Louvain", lambda g: nx.community.louvain_communities(g.to_undirected(), seed=1)),
            ):
                start = time.perf_counter()
                call(graph)
                print(f"    networkx {name}: {time.perf_counter() - start:.2f} s", flush=True)


def ndcg(truth: np.ndarray, scores: np.ndarray, k: int) -> float:
    """NDCG with gain log2(1 + truth); ties are broken by order."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    gain = np.log2(1 + truth)
    best = np.sort(gain)[::-1][:k]
    return float(gain[np.argsort(-scores, kind="stable")[:k]] @ discount[: min(k, len(gain))] / (best @ discount))


def ablation(path: str, until: str, hours: float) -> None:
    """NDCG with each part left out."""
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
    cut = tables.time({"until": until}, "until").timestamp()
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
    parser.add_argument("--until")
    parser.add_argument("--hours", type=float, default=24)
    told = parser.parse_args()
    if told.ablation:
        if not told.until:
            sys.exit("--ablation needs --until TIME")
        ablation(told.ablation, told.until, told.hours)
    else:
        speed(told.networkx)


if __name__ == "__main__":
    main()
