"""Shapes of cascades, checked against networkx on random trees."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.cascades import Share, from_counts, shape, shape_of_counts
from analysis.cascades.tree import depths, structural_virality

ROOT = Share("r", "root", 0.0)


@st.composite
def trees(draw):
    n = draw(st.integers(1, 40))
    return np.array([-1] + [draw(st.integers(0, i - 1)) for i in range(1, n)])


def as_graph(parents):
    graph = nx.Graph()
    graph.add_nodes_from(range(len(parents)))
    graph.add_edges_from((p, i) for i, p in enumerate(parents) if p >= 0)
    return graph


@given(trees())
def test_structural_virality_is_the_mean_distance(parents):
    n = len(parents)
    graph = as_graph(parents)
    expected = nx.average_shortest_path_length(graph) if n > 1 else 0.0
    assert structural_virality(parents) == pytest.approx(expected)
    if n > 1:
        assert structural_virality(parents) == pytest.approx(2 * nx.wiener_index(graph) / (n * (n - 1)))


@given(trees())
def test_depths_are_distances_from_the_root(parents):
    distance = nx.single_source_shortest_path_length(as_graph(parents), 0)
    assert depths(parents).tolist() == [distance[i] for i in range(len(parents))]


def test_a_star_and_a_chain():
    star = shape(ROOT, [Share(f"s{i}", f"a{i}", i + 1.0) for i in range(99)])
    assert (star.kind, star.size, star.depth, star.breadth) == ("star", 100, 1, 99)
    assert star.virality == pytest.approx(2 * 99**2 / (100 * 99))
    chain = shape(ROOT, [Share(f"s{i}", f"a{i}", i + 1.0, f"s{i - 1}" if i else "r") for i in range(9)])
    assert (chain.kind, chain.size, chain.depth, chain.breadth) == ("tree", 10, 9, 1)
    assert chain.virality == pytest.approx(11 / 3)  # (n + 1) / 3 on a path


def test_a_deep_chain_needs_no_recursion():
    chain = [Share(f"s{i}", "a", i + 1.0, f"s{i - 1}" if i else "r") for i in range(20_000)]
    assert shape(ROOT, chain).depth == 20_000


def test_a_root_alone():
    alone = shape(ROOT, [])
    assert (alone.kind, alone.size, alone.depth, alone.virality, alone.half_time, alone.speed) == (
        "star", 1, 0, 0.0, None, 0,
    )  # fmt: skip


def test_order_of_the_rows_does_not_matter():
    shares = [Share("b", "B", 20, "a"), Share("a", "A", 10), Share("c", "C", 30, "b")]
    assert shape(ROOT, shares) == shape(ROOT, shares[::-1])
    assert shape(ROOT, shares).depth == 3


@pytest.mark.parametrize("parent", ["nobody", "late", "a"])
def test_a_parent_unknown_later_or_itself_becomes_the_root(parent):
    shares = [Share("a", "A", 10, parent), Share("late", "L", 20)]
    found = shape(ROOT, shares)
    assert (found.kind, found.depth) == ("star", 1)


def test_a_share_seen_twice_counts_once():
    assert shape(ROOT, [Share("a", "A", 10), Share("a", "A", 12), Share("r", "root", 0)]).size == 2


def test_communities_in_order_and_through_whom():
    membership = {"root": "cats", "A": "cats", "B": "dogs", "C": "dogs", "D": "birds"}
    shares = [
        Share("a", "A", 10),
        Share("b", "B", 20, "a"),
        Share("c", "C", 30, "b"),
        Share("d", "D", 40, "c"),
        Share("e", "stranger", 5),
    ]
    first, second, third = shape(ROOT, shares, membership).entries
    assert (first.community, first.through, first.source, first.shares) == ("cats", None, None, 2)
    assert (second.community, second.time, second.account) == ("dogs", 20, "B")
    assert (second.through, second.source, second.shares) == ("A", "cats", 2)
    assert (third.community, third.through, third.source) == ("birds", "C", "dogs")


def test_speed_is_the_busiest_hour_and_half_time_the_median():
    times = [0, 1800, 3600, 3601, 9000]
    found = shape(ROOT, [Share(str(i), "x", t) for i, t in enumerate(times)])
    assert found.speed == 3
    assert found.half_time == 3600


def test_counts_have_size_and_speed_but_no_form():
    found = shape_of_counts(from_counts([0, 3600, 7200], [1, 11, 13]))
    assert (found.kind, found.size, found.speed, found.half_time) == ("counts", 13, 10, 2160)
    assert (found.depth, found.breadth, found.virality, found.entries) == (None, None, None, ())
