"""The graph work of the product beside the same work in pure networkx, each kernel timed and compared.

python benchmarks/kernels.py                 10k and 100k interactions, a fifth as many accounts
python benchmarks/kernels.py --size 1000000  one size (networkx takes some minutes for a million)

From rows of names on: the weighted graph (`build`), its components, the core that is left when what hangs on by one
link is taken away, communities, and the resonance of every account. Communities are two levels here and one partition
in networkx (Louvain), compared by modularity. PageRank, which the product does not use, is not in the total.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import networkx as nx
import numpy as np
from influence import made_up, timed
from scipy.sparse.csgraph import connected_components
from scipy.stats import kendalltau

from analysis.communities.detect import _core, detect_matrix
from analysis.graph import MENTION, REPLY, Interactions, adjacency
from analysis.influence import score, score_accounts

T = TypeVar("T")
UNTIL = 2 * 86400.0
Rows = tuple[list[str], list[str], list[float], list[int]]


class Table:
    """Prints what each kernel took, and sums it up."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.ours = self.theirs = 0.0

    def both(self, name: str, ours: Callable[[], T], theirs: Callable[[], Any]) -> tuple[T, Any]:
        """What a kernel answers here and in networkx."""
        mine, took = timed(ours)
        other, longer = timed(theirs)
        self.ours, self.theirs = self.ours + took, self.theirs + longer
        self.line(name, took, longer)
        return mine, other

    def line(self, name: str, ours: float, theirs: float) -> None:
        """One row."""
        print(f"    {name:12s} {ours:8.3f} {theirs:10.3f} {theirs / max(ours, 1e-9):8.0f}", flush=True)


def graph_of(rows: Rows) -> nx.Graph[str]:
    """Who has to do with whom: log(1 + interactions), as `adjacency`."""
    graph: nx.Graph[str] = nx.Graph()
    for source, target, _, _ in zip(*rows, strict=True):
        if source == target:
            graph.add_node(source)
        elif graph.has_edge(source, target):
            graph[source][target]["weight"] += 1
        else:
            graph.add_edge(source, target, weight=1)
    for _, _, data in graph.edges(data=True):
        data["weight"] = np.log1p(data["weight"])
    return graph


def resonance(rows: Rows) -> dict[str, float]:
    """The resonance of every account, by its formula, from a networkx multigraph."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.add_edges_from((s, t, {"time": at, "kind": kind}) for s, t, at, kind in zip(*rows, strict=True) if s != t)
    parts = {
        "slow": (score.HALF_LIVES["slow"], lambda kind: kind < REPLY),
        "fast": (score.HALF_LIVES["fast"], lambda kind: kind < REPLY),
        "replies": (score.HALF_LIVES["slow"], lambda kind: kind == REPLY),
        "mentions": (score.HALF_LIVES["slow"], lambda kind: kind == MENTION),
    }
    scale, found = -np.expm1(-score.SATURATION), {}
    for account in graph:
        totals: dict[tuple[str, str], float] = {}
        for source, _, data in graph.in_edges(account, data=True):
            for name, (half_life, counts) in parts.items():
                if counts(data["kind"]):
                    age = (UNTIL - data["time"]) / 3600
                    totals[name, source] = totals.get((name, source), 0.0) + 2 ** (-age / half_life)
        sums = dict.fromkeys(parts, 0.0)
        for (name, _), weight in totals.items():
            sums[name] += (1 - np.exp(-score.SATURATION * weight)) / scale
        found[account] = sum(score.WEIGHTS[name] * np.log1p(value) for name, value in sums.items())
    return found


def modularity(graph: nx.Graph[str], groups: Iterable[set[str]]) -> float:
    """As networkx has it."""
    return float(nx.community.modularity(graph, groups))


def sets(names: list[str], label: np.ndarray) -> list[set[str]]:
    """Groups of names; accounts without a community stand alone."""
    found: dict[int, set[str]] = {}
    for place, (name, group) in enumerate(zip(names, label.tolist(), strict=True)):
        found.setdefault(group if group >= 0 else -1 - place, set()).add(name)
    return list(found.values())


def compare(size: int) -> None:
    """One size: times, ratios, and whether the answers agree."""
    made = made_up(size, size // 5)
    names = made.accounts
    rows = [names[i] for i in made.source], [names[i] for i in made.target], made.time.tolist(), made.kind.tolist()
    print(f"{size} interactions, {len(names)} accounts\n    kernel       ours CPU s networkx    ratio", flush=True)
    table = Table()

    def build() -> tuple[Interactions, Any]:
        interactions = Interactions.build(*rows)
        return interactions, adjacency(interactions)

    (interactions, matrix), graph = table.both("build", build, lambda: graph_of(rows))
    (pieces, part), theirs = table.both(
        "components",
        lambda: connected_components(matrix, directed=False),
        lambda: list(nx.connected_components(graph)),
    )
    largest = np.flatnonzero(part == np.bincount(part).argmax())
    inner = matrix[largest][:, largest].tocsr()
    (kept, _), cores = table.both("core", lambda: _core(inner), lambda: nx.k_core(graph, 2))
    (coarse, fine), louvain = table.both(
        "communities",
        lambda: detect_matrix(matrix, seed=1),
        lambda: nx.community.louvain_communities(graph, seed=1),
    )
    alone = dict.fromkeys(names, (0, 0))
    _, plain = table.both(
        "resonance",
        lambda: score_accounts(interactions, UNTIL, memberships=alone, most=1_000),  # as many as a run keeps
        lambda: resonance(rows),
    )
    table.line("in total", table.ours, table.theirs)
    _, rank = timed(lambda: nx.pagerank(graph))
    print(f"    PageRank in networkx, not used: {rank:.2f}")
    ours = score_accounts(interactions, UNTIL, memberships=alone)
    tau = kendalltau([row.resonance for row in ours], [plain.get(row.account, 0.0) for row in ours]).statistic
    q = [modularity(graph, groups) for groups in (sets(names, coarse), sets(names, fine), louvain)]
    held = {names[largest[i]] for i in kept.tolist()} == set(cores)
    print(f"    components {pieces} and {len(theirs)}; the same core: {held}; resonance tau {tau:.5f}")
    print(f"    modularity coarse {q[0]:.4f}, fine {q[1]:.4f}, Louvain {q[2]:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int)
    told = parser.parse_args()
    for size in [told.size] if told.size else [10_000, 100_000]:
        compare(size)


if __name__ == "__main__":
    main()
