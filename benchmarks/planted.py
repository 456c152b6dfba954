"""Graphs with known groups, and one without: does community detection find what is there, and only that?

python benchmarks/planted.py            a table: groups planted, found, ARI at both levels, Louvain beside
"""

from __future__ import annotations

import sys
import time

import networkx as nx
import numpy as np
from scipy import sparse

from analysis.communities.detect import detect_matrix


def planted(groups: int, size: int, degree: float, mixing: float, seed: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """A degree-corrected planted partition: unequal groups, heavy-tailed degrees, `mixing` of the links leave a group.

    Returns the symmetric matrix of links and the group of each node. With one group, nothing is planted.
    """
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.5, 2.0, groups)
    label = rng.choice(groups, size, p=share / share.sum())
    weight = np.minimum(rng.pareto(2.5, size) + 1, 20)
    links = int(size * degree / 2)
    source = rng.choice(size, links, p=weight / weight.sum())
    target = rng.choice(size, links, p=weight / weight.sum())
    inside = rng.random(links) >= mixing
    for group in range(groups):
        members = np.flatnonzero(label == group)
        rows = np.flatnonzero(inside & (label[source] == group))
        if len(members):
            target[rows] = rng.choice(members, len(rows), p=weight[members] / weight[members].sum())
    kept = source != target
    matrix = sparse.coo_matrix((np.ones(kept.sum()), (source[kept], target[kept])), shape=(size, size)).tocsr()
    both = (matrix + matrix.T).tocsr()
    both.data[:] = 1
    return both, label


def adjusted_rand(a: np.ndarray, b: np.ndarray) -> float:
    """Agreement of two partitions of the same nodes (Hubert and Arabie 1985)."""
    table = np.zeros((int(a.max()) + 1, int(b.max()) + 1))
    np.add.at(table, (a, b), 1)

    def pairs(x: np.ndarray) -> float:
        return float((x * (x - 1) / 2).sum())

    both, left, right = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    expected, most = left * right / pairs(np.array([table.sum()])), (left + right) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def main() -> None:
    cases = [
        (1, 1000, 10, 0.0),
        (1, 5000, 20, 0.0),
        (1, 3000, 5, 0.0),
        (2, 600, 12, 0.2),
        (3, 1000, 15, 0.3),
        (5, 1000, 15, 0.3),
        (8, 2000, 20, 0.4),
        (12, 2000, 20, 0.3),
        (20, 4000, 20, 0.3),
        (40, 6000, 20, 0.2),
        (40, 8000, 30, 0.3),
    ]
    print("groups  nodes degree mixing | found fine   ARI  fine | Louvain: found   ARI | seconds")
    for groups, size, degree, mixing in cases:
        rows = []
        for seed in range(3):
            matrix, label = planted(groups, size, degree, mixing, seed)
            began = time.perf_counter()
            coarse, fine = detect_matrix(matrix, seed=seed)
            took = time.perf_counter() - began
            known = coarse >= 0
            row = [
                np.sum(np.bincount(coarse[known]) > 3),
                np.sum(np.bincount(fine[known]) > 3),
                adjusted_rand(label[known], coarse[known]),
                adjusted_rand(label[known], fine[known]),
            ]
            if "--louvain" in sys.argv:
                graph = nx.from_scipy_sparse_array(matrix)
                other = np.zeros(size, int)
                for i, nodes in enumerate(nx.community.louvain_communities(graph, seed=seed)):
                    other[list(nodes)] = i
                row += [np.sum(np.bincount(other) > 3), adjusted_rand(label[known], other[known])]
            else:
                row += [np.nan, np.nan]
            rows.append([*row, took])
        m = np.mean(rows, axis=0)
        print(
            f"{groups:6d} {size:6d} {degree:6d} {mixing:6.2f} | {m[0]:5.1f} {m[1]:4.1f} {m[2]:5.3f} {m[3]:5.3f} "
            f"| {m[4]:14.1f} {m[5]:5.3f} | {m[6]:7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
