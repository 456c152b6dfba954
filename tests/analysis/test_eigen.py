"""The block eigensolver against numpy on matrices small enough for both."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from analysis.communities import blockmodel, detect, eigen, spectral
from analysis.communities.detect import detect_matrix
from analysis.graph import Builder, Interactions


def planted(groups: int, size: int, inside: float, between: float, seed: int) -> sparse.csr_matrix:
    graph = nx.planted_partition_graph(groups, size, inside, between, seed=seed)
    return sparse.csr_matrix(nx.to_scipy_sparse_array(graph, format="csr", dtype=np.dtype(float)))


def test_normalised_is_the_definition() -> None:
    matrix = planted(2, 40, 0.3, 0.05, 1)
    degree = np.asarray(matrix.sum(axis=1)).ravel() + 1.5
    expected = matrix.toarray() / np.sqrt(degree)[:, None] / np.sqrt(degree)[None, :]
    assert eigen.normalised(matrix, 1.5).toarray() == pytest.approx(expected, abs=1e-6)


def test_normalised_without_regularisation_is_networkx() -> None:
    graph = nx.karate_club_graph()
    matrix = sparse.csr_matrix(nx.to_scipy_sparse_array(graph, weight=None, format="csr", dtype=np.dtype(float)))
    laplacian = nx.normalized_laplacian_matrix(graph, weight=None).toarray()
    assert eigen.normalised(matrix, 0.0).toarray() == pytest.approx(np.eye(34) - laplacian, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("wanted", [1, 5, 12])
def test_largest_agrees_with_all_eigenvalues(seed: int, wanted: int) -> None:
    normal = eigen.normalised(planted(6, 60, 0.3, 0.03, seed), 5.0)
    truth = np.linalg.eigvalsh(normal.toarray().astype(float))[::-1]
    values, vectors = eigen.largest(normal, wanted, tolerance=1e-4)
    assert values[:wanted] == pytest.approx(truth[:wanted], abs=1e-4)
    assert vectors[:, :wanted].T @ vectors[:, :wanted] == pytest.approx(np.eye(wanted), abs=1e-3)
    residual = normal @ vectors[:, :wanted] - vectors[:, :wanted] * values[:wanted]
    assert np.linalg.norm(residual, axis=0).max() < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_values_above_a_threshold_are_all_found(seed: int) -> None:
    normal = eigen.normalised(planted(6, 60, 0.3, 0.03, seed), 5.0)
    truth = np.linalg.eigvalsh(normal.toarray().astype(float))[::-1]
    above = float((truth[5] + truth[6]) / 2)
    values, _ = eigen.largest(normal, 8, above=above)
    assert int((values > above).sum()) == 6


def test_more_above_the_threshold_than_wanted_are_told() -> None:
    normal = eigen.normalised(planted(12, 40, 0.4, 0.02, 0), 5.0)
    values, _ = eigen.largest(normal, 4, above=0.25)
    assert (values > 0.25).sum() > 4 and len(values) == 4 + eigen.GUARD


def test_many_equal_eigenvalues_are_all_counted() -> None:
    """A hub with twenty equal cliques: a block that is narrower than that sees only some of them at first."""
    graph = nx.Graph((0, 1 + 15 * i) for i in range(20))
    for i in range(20):
        graph.update(nx.complete_graph(range(1 + 15 * i, 16 + 15 * i)))
    matrix = sparse.csr_matrix(nx.to_scipy_sparse_array(graph, format="csr", dtype=np.dtype(float)))
    assert spectral.count_groups(matrix) == 20


def test_a_small_space_is_restarted_until_it_knows() -> None:
    normal = eigen.normalised(planted(1, 900, 0.02, 0.0, 0), 5.0)
    truth = np.linalg.eigvalsh(normal.toarray().astype(float))[::-1]
    values, _ = eigen.largest(normal, 3, tolerance=1e-3)
    assert values[:3] == pytest.approx(truth[:3], abs=1e-3)


def test_near_vectors_lead_to_the_same_values() -> None:
    normal = eigen.normalised(planted(5, 60, 0.3, 0.03, 2), 5.0)
    cold, vectors = eigen.largest(normal, 5, tolerance=1e-4)
    warm, _ = eigen.largest(normal, 5, tolerance=1e-4, first=vectors[:, :3])
    assert warm[:5] == pytest.approx(cold[:5], abs=1e-4)


def test_a_bipartite_graph_keeps_its_negative_half_out() -> None:
    matrix = sparse.csr_matrix(
        nx.to_scipy_sparse_array(nx.complete_bipartite_graph(80, 120), format="csr", dtype=np.dtype(float))
    )
    values, _ = eigen.largest(eigen.normalised(matrix, 1e-9), 2, tolerance=1e-3)
    assert values[0] == pytest.approx(1, abs=1e-3) and values[1] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("groups", "size"), [(1, 400), (3, 130), (14, 60)])
def test_groups_are_counted_as_planted(groups: int, size: int) -> None:
    assert spectral.count_groups(planted(groups, size, 0.3 if groups > 1 else 0.05, 0.01, 3)) == groups


def test_the_block_model_leaves_a_right_answer_alone_and_mends_a_wrong_one() -> None:
    matrix, truth = planted(3, 60, 0.3, 0.02, 1), np.repeat([0, 1, 2], 60)
    wrong = truth.copy()
    wrong[::9] = (wrong[::9] + 1) % 3
    assert (blockmodel.refine(matrix, truth, 3) == truth).all()
    assert (blockmodel.refine(matrix, wrong, 3) == truth).all()


def test_the_block_model_keeps_its_ties_up_to_date() -> None:
    matrix, rng = planted(3, 40, 0.3, 0.05, 1), np.random.default_rng(0)
    label, moving = rng.integers(0, 3, 120), np.arange(0, 120, 7)
    ties, new = blockmodel._ties(matrix, label, 3), (label[moving] + 1) % 3
    blockmodel._move(matrix, ties, moving, label[moving], new)
    label[moving] = new
    assert ties == pytest.approx(blockmodel._ties(matrix, label, 3), abs=1e-4)


def test_no_community_is_a_splinter_of_a_larger_graph() -> None:
    rng = np.random.default_rng(1)
    matrix = planted(4, 200, 0.06, 0.01, 5)
    hub = np.zeros((800, 800))
    hub[0, rng.choice(np.arange(1, 800), 300, replace=False)] = 1
    both = sparse.csr_matrix(((matrix.toarray() + hub + hub.T) > 0).astype(float))
    for label in detect_matrix(both, seed=1):
        assert np.bincount(label[label >= 0]).min() >= 4


def test_pieces_make_the_same_table_as_all_at_once() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"a{s}", f"a{t}", float(n), "reply" if n % 2 else 0, f"p{t}" if n % 3 else None, None if n % 5 else 0.5)
        for n, (s, t) in enumerate(rng.integers(0, 30, (500, 2)).tolist())
    ]
    source, target, time, kind, item, negative = (list(column) for column in zip(*rows, strict=True))
    whole = Interactions.build(source, target, time, kind, item=item, negative=negative, followers={"a3": 7.0})
    builder = Builder()
    for begin in range(0, 500, 64):
        builder.add(*(list(column) for column in zip(*rows[begin : begin + 64], strict=True)))
    pieces = builder.finish({"a3": 7.0})
    assert (pieces.accounts, pieces.items) == (whole.accounts, whole.items)
    for name in ("source", "target", "time", "kind", "item", "negative", "followers"):
        np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name))
    assert pieces.code("nobody") is None and "nobody" not in pieces.accounts


def test_nothing_added_is_an_empty_table() -> None:
    empty = Builder().finish()
    assert len(empty) == 0 and empty.accounts == []
    assert len(detect(empty).coarse) == 0
