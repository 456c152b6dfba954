"""Communities: found where they are, not found where there are none, the same from run to run."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.communities import describe, detect, echo_chamber, match_communities
from analysis.communities.describe import telling
from analysis.communities.detect import NONE, detect_matrix
from analysis.communities.spectral import count_groups, gap, k_means
from analysis.graph import Interactions
from benchmarks.planted import adjusted_rand, planted


def names(events, kind):
    return [(e.before, e.after) for e in events if e.kind == kind]


@pytest.mark.parametrize(
    ("groups", "size", "degree", "mixing"), [(2, 400, 12, 0.2), (5, 800, 15, 0.3), (12, 1200, 20, 0.2)]
)
def test_planted_groups_are_found(groups, size, degree, mixing):
    matrix, truth = planted(groups, size, degree, mixing, seed=4)
    coarse, _ = detect_matrix(matrix, seed=1)
    assert len(set(coarse[np.bincount(coarse)[coarse] > 3])) == groups
    assert adjusted_rand(truth, coarse) > 0.9


@pytest.mark.parametrize(("size", "degree"), [(300, 8), (800, 12), (1500, 20)])
def test_a_graph_without_groups_is_one_community(size, degree):
    matrix, _ = planted(1, size, degree, 0.0, seed=5)
    coarse, fine = detect_matrix(matrix, seed=1)
    assert np.sum(np.bincount(coarse[coarse >= 0]) > 3) == 1
    assert np.sum(np.bincount(fine[fine >= 0]) > 3) == 1


def test_two_levels():
    """Two halves of three groups each: the halves are coarse, the groups fine."""
    rng = np.random.default_rng(1)
    label = np.repeat(np.arange(6), 60)
    rate = np.where(label[:, None] == label[None, :], 0.4, 0.1)
    rate[(label[:, None] // 3) != (label[None, :] // 3)] = 0.01
    upper = np.triu(rng.random(rate.shape) < rate, 1)
    matrix = nx.to_scipy_sparse_array(nx.from_numpy_array((upper | upper.T).astype(float)), format="csr")
    coarse, fine = detect_matrix(matrix, seed=1)
    assert adjusted_rand(label // 3, coarse) > 0.95
    assert adjusted_rand(label, fine) > 0.95


def test_stable_over_seeds_and_the_order_of_nodes():
    matrix, _ = planted(4, 300, 14, 0.2, seed=6)
    first, _ = detect_matrix(matrix, seed=1)
    order = np.random.default_rng(2).permutation(300)
    second, _ = detect_matrix(matrix[order][:, order].tocsr(), seed=2)
    assert adjusted_rand(first[order], second) > 0.97
    assert (detect_matrix(matrix, seed=1)[0] == first).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=120))
def test_any_graph_gets_connected_nested_communities(pairs):
    columns = Interactions.build(
        [f"a{s}" for s, _ in pairs], [f"a{t}" for _, t in pairs], [0.0] * len(pairs), [0] * len(pairs)
    )
    found = detect(columns, seed=1)
    graph = nx.Graph((f"a{s}", f"a{t}") for s, t in pairs if s != t)
    assert set(found.memberships()) == set(graph)
    assert ((found.coarse == NONE) == (found.fine == NONE)).all()
    for level in (found.coarse, found.fine):
        known = level[level != NONE]
        sizes = np.bincount(known)
        assert (sizes > 0).all() and (np.diff(sizes) <= 0).all()
        for community in range(len(sizes)):
            members = [name for name, c in zip(found.accounts, level, strict=True) if c == community]
            assert nx.is_connected(graph.subgraph(members))
    parents = {}
    for c, f in zip(found.coarse.tolist(), found.fine.tolist(), strict=True):
        assert parents.setdefault(f, c) == c


def test_bethe_hessian_agrees_with_its_definition():
    for seed in range(6):
        matrix, _ = planted(1 + seed % 4, 200, 10, 0.25, seed)
        core = matrix[np.diff(matrix.indptr) > 0][:, np.diff(matrix.indptr) > 0].tocsr()
        degree = np.asarray(core.sum(1)).ravel()
        square = (degree**2).sum() / degree.sum() - 1
        hessian = (square - 1) * np.eye(len(degree)) - np.sqrt(square) * core.toarray() + np.diag(degree)
        assert count_groups(core) == max(int((np.linalg.eigvalsh(hessian) < 0).sum()), 1)


def test_gap_and_k_means():
    assert gap(np.array([1.0, 0.8, 0.75, 0.3, 0.28, 0.27])) == 3
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(c, 0.1, (30, 2)) for c in (0, 3, 6)])
    assert adjusted_rand(np.repeat(np.arange(3), 30), k_means(points, 3, seed=1)) == 1


def test_identity_is_kept_under_new_numbers():
    before = {f"a{i}": i // 10 for i in range(30)}
    after = {f"a{i}": 2 - i // 10 for i in range(30)} | {"new": 0}
    matching = match_communities(before, after)
    assert matching.identity == {2: 0, 1: 1, 0: 2}
    assert {e.kind for e in matching.events} == {"continued"}


def test_births_and_deaths():
    before = {f"a{i}": 0 for i in range(10)} | {f"b{i}": 1 for i in range(10)}
    after = {f"a{i}": 0 for i in range(10)} | {f"c{i}": 1 for i in range(10)}
    matching = match_communities(before, after)
    assert matching.identity == {0: 0, 1: 2}
    assert names(matching.events, "born") == [((), (2,))]
    assert names(matching.events, "died") == [((1,), ())]


def test_merges_and_splits():
    halves = {f"a{i}": i // 10 for i in range(20)}
    whole = {f"a{i}": 0 for i in range(20)}
    merged = match_communities(halves, whole)
    assert names(merged.events, "merged") == [((0, 1), (0,))] and not names(merged.events, "died")
    split = match_communities(whole, halves)
    assert split.identity == {0: 0, 1: 1}
    assert names(split.events, "split") == [((0,), (0, 1))] and not names(split.events, "born")


def test_new_identities_never_reuse_old_ones():
    matching = match_communities({"a": 3}, {"b": 0, "c": 0, "d": 1}, next_identity=9)
    assert matching.identity == {0: 9, 1: 10}
    assert match_communities({}, {"x": 5}).identity == {5: 0}
    assert match_communities({"x": 5}, {}).identity == {}


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.integers(0, 30), st.integers(0, 5)),
    st.dictionaries(st.integers(0, 30), st.integers(0, 5)),
)
def test_matching_is_one_to_one(old, new):
    before, after = {str(a): c for a, c in old.items()}, {str(a): c for a, c in new.items()}
    identity = match_communities(before, after).identity
    assert set(identity) == set(after.values())
    assert len(set(identity.values())) == len(identity)


def test_description_names_what_is_particular():
    members = {f"a{i}": 0 for i in range(12)} | {f"b{i}": 1 for i in range(8)}
    tags = (
        [(a, "新商品") for a in members]
        + [(f"a{i}", "推し活") for i in range(9)]
        + [(f"b{i}", "deals") for i in range(7)]
    )
    tags += [("b1", "spam")] * 50 + [("stranger", "elsewhere")]
    columns = Interactions.build(["a1", "a2", "a3", "b1", "b2"], ["a0", "a0", "a0", "b0", "a0"], [0.0] * 5, [0] * 5)
    first, second = describe(
        members, hashtags=tags, languages=[("a1", "ja"), ("a2", "ja"), ("a3", "en")], interactions=columns
    )
    assert (first.community, first.size, second.size) == (0, 12, 8)
    assert first.hashtags == ("推し活",) and second.hashtags == ("deals",)
    assert first.languages == {"ja": pytest.approx(2 / 3), "en": pytest.approx(1 / 3)} and second.languages == {}
    assert first.central == ("a0",) and second.central == ("b0",)


def test_telling_terms_need_two_authors():
    assert telling({"once": 1, "often": 9}, {"other": 20}) == ("often",)
    assert telling({}, {"other": 3}) == ()


def test_echo_chamber_index():
    label = np.array([0, 0, 0, 1, 1, 1])
    closed = Interactions.build(["a", "b", "c", "d", "e", "f"], ["b", "c", "a", "e", "f", "d"], [0.0] * 6, [0] * 6)
    order = [closed.code(n) for n in "abcdef"]
    labels = np.empty(6, int)
    labels[order] = label
    assert [e.index for e in echo_chamber(closed, labels)] == [1.0, 1.0]
    everyone = [(s, t) for s in "abcdef" for t in "abcdef"]
    mixed = Interactions.build([s for s, _ in everyone], [t for _, t in everyone], [0.0] * 36, [0] * 36)
    for echo in echo_chamber(mixed, np.array([label["abcdef".index(n)] for n in mixed.accounts])):
        assert echo.inside == pytest.approx(2 / 5) and echo.chance == pytest.approx(0.5)
        assert echo.index < 0 and echo.reactions == 15
    assert echo_chamber(mixed, np.full(6, -1)) == []
