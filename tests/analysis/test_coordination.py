"""Coordination: rings stand out from fans, and an account is never blamed for the crowd."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.coordination import SUSPECT, coordinated_pairs, suspects

DAY = 86400.0


def stream(seed=0, eager=True, ring=6, spread=30.0):
    """120 items over a day each; casual accounts, 20 fans (among the first ones if eager), and a ring."""
    rng = np.random.default_rng(seed)
    rows = []
    for item in range(120):
        size = int(rng.integers(60, 160))
        times = np.sort(rng.exponential(6 * 3600, size))
        who = [f"casual{rng.integers(3000)}" for _ in times]
        if item < 40:
            places = np.arange(40) if eager else rng.permutation(size)[:40]
            fans = [f for f in range(20) if rng.random() < 0.5]
            for fan, place in zip(fans, rng.permutation(places)[: len(fans)], strict=True):
                who[place] = f"fan{fan}"
        rows += [(account, f"item{item}", item * 40 * DAY + t) for account, t in zip(who, times, strict=True)]
        if 40 <= item < 52:
            moment = rng.uniform(0, 12 * 3600)
            rows += [
                (f"ring{m}", f"item{item}", item * 40 * DAY + moment + spread * rng.random())
                for m in range(ring)
                if rng.random() < 0.8
            ]
    order = rng.permutation(len(rows))
    return [rows[i] for i in order]


def pairs_of(rows, window=60.0):
    account, item, time = zip(*rows, strict=True) if rows else ((), (), ())
    return coordinated_pairs(account, item, time, window)


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_ring_comes_before_fans(seed, eager):
    pairs = pairs_of(stream(seed, eager))
    ring = {tuple(sorted(p)) for p in combinations([f"ring{m}" for m in range(6)], 2)}
    assert {(p.source, p.target) for p in pairs[: len(ring)]} == ring
    assert suspects(pairs) == {f"ring{m}" for m in range(6)}


def test_without_a_ring_nobody_is_suspected():
    rows = [row for row in stream(3) if not row[0].startswith("ring")]
    assert suspects(pairs_of(rows)) == frozenset()


def test_answers_keep_their_contract():
    pairs = pairs_of(stream(4))
    assert [p.score for p in pairs] == sorted((p.score for p in pairs), reverse=True)
    for pair in pairs:
        assert 0 < pair.score < 1 and pair.source < pair.target
        assert 2 <= pair.co_shares <= pair.common
        assert 1 <= len(pair.items) <= min(5, pair.co_shares) and len(set(pair.items)) == len(pair.items)


def test_co_shares_agree_with_counting_by_hand():
    rows = stream(5)
    first: dict[tuple[str, str], float] = {}
    for account, item, time in rows:
        first[account, item] = min(time, first.get((account, item), np.inf))
    by_account: dict[str, dict[str, float]] = {}
    for (account, item), time in first.items():
        by_account.setdefault(account, {})[item] = time
    for pair in pairs_of(rows):
        a, b = by_account[pair.source], by_account[pair.target]
        together = {item for item in a.keys() & b.keys() if abs(a[item] - b[item]) <= 60}
        assert pair.co_shares == len(together) and pair.common == len(a.keys() & b.keys())
        assert set(pair.items) <= together


def test_order_and_names_do_not_matter():
    rows = stream(6)
    plain = {(p.source, p.target): p.score for p in pairs_of(rows)}
    renamed = pairs_of([("x" + a, "y" + i, t) for a, i, t in rows[::-1]])
    assert {(p.source[1:], p.target[1:]): p.score for p in renamed} == pytest.approx(plain)


def test_items_shared_apart_speak_against_a_pair():
    rows = stream(7)
    before = {(p.source, p.target): p.score for p in pairs_of(rows)}["ring0", "ring1"]
    apart = [(f"ring{m}", f"item{i}", i * 40 * DAY + 3600 * (1 + 5 * m)) for i in range(60, 90) for m in (0, 1)]
    after = {(p.source, p.target): p.score for p in pairs_of(rows + apart)}.get(("ring0", "ring1"), 0.0)
    assert after < before


def test_third_accounts_support_a_pair():
    rows = [row for row in stream(8) if not row[0].startswith("ring") or row[0] in ("ring0", "ring1")]
    alone = {(p.source, p.target): p.score for p in pairs_of(rows)}["ring0", "ring1"]
    together = {(p.source, p.target): p.score for p in pairs_of(stream(8))}["ring0", "ring1"]
    assert together > alone


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("a", "i", 0.0)],
        [("a", "i", 0.0), ("b", "i", 1.0)],
        [("a", "i", 0.0), ("a", "i", 1.0), ("a", "j", 0.0), ("a", "j", 5.0)],
    ],
)
def test_too_little_says_nothing(rows):
    assert pairs_of(rows) == []


def test_a_negative_window_is_refused():
    with pytest.raises(ValueError, match="negative"):
        coordinated_pairs(["a"], ["i"], [0.0], -1)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 300)), max_size=60),
    st.sampled_from([0, 10, 100, 1000]),
)
def test_any_stream_is_answered(shares, window):
    pairs = pairs_of([(f"a{a}", f"i{i}", float(t)) for a, i, t in shares], window)
    names = [(p.source, p.target) for p in pairs]
    assert len(names) == len(set(names))
    assert all(0 < p.score < 1 and p.co_shares >= 2 for p in pairs)
    assert suspects(pairs, 0.0) >= suspects(pairs, SUSPECT)


def test_a_ring_that_makes_up_the_crowd_is_named_and_its_audience_is_not():
    honest = [(f"fan{n}", f"p{p}", 300.0 * n) for p in range(8) for n in range(20) if (7 * n + 5 * p) % 20 < 11]
    puppets = [(f"puppet{n}", f"p{p}", 440.0 + n % 40) for p in (2, 5) for n in range(200)]
    assert suspects(pairs_of(honest + puppets)) == {f"puppet{n}" for n in range(200)}
    assert suspects(pairs_of(honest)) == frozenset()
