"""Resonance: the score, what is left out, and that it cannot be bought with sock puppets."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.graph import KINDS, Interactions, adjacency, distinct_pairs, to_networkx
from analysis.influence import Exclusions, counted, is_giveaway, parts, score_accounts
from analysis.influence.giveaway import _asks, _plain, giveaways

HOUR = 3600.0
UNTIL = 100 * HOUR


def test_places_of_accounts():
    rows = Interactions.build(["a", "b"], ["b", "c"], [0.0, 1.0], ["reshare", "quote"])
    assert rows.places(["c", "nobody", "a"]).tolist() == [2, -1, 0]


def made(rows, **more):
    """Interactions of rows (source, target, hours before UNTIL, kind)."""
    source, target, age, kind = zip(*rows, strict=True)
    moments = [UNTIL - a * HOUR - (1e-6 if a == 0 else 0) for a in age]  # a row at UNTIL itself would not count
    return Interactions.build(source, target, moments, kind, **more)


def crowd(seed=0, size=400, accounts=60):
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, accounts + 1)
    return [
        (f"m{rng.integers(accounts)}", f"m{rng.choice(accounts, p=popularity / popularity.sum())}", h, KINDS[k])
        for h, k in zip(rng.uniform(0, 48, size), rng.integers(0, 4, size), strict=True)
    ]


def by_account(rows):
    return {row.account: row for row in rows}


def test_columns_keep_what_was_given():
    columns = made([("a", "b", 1, "reshare"), ("b", "c", 2, "reply")], item=["p", None], followers={"b": 7.0})
    assert columns.accounts == ["a", "b", "c"]
    assert columns.source.tolist() == [0, 1] and columns.target.tolist() == [1, 2]
    assert columns.item.tolist() == [0, -1] and columns.items == ["p"]
    assert columns.followers[1] == 7 and math.isnan(columns.followers[0])
    assert columns.code("c") == 2 and columns.code("nobody") is None


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"kind": ["like"]}, "unknown kind"),
        ({"kind": [4]}, "unknown kind"),
        ({"time": [float("nan")]}, "not a finite"),
        ({"time": [1.0, 2.0]}, "time has 2 values for 1"),
    ],
)
def test_columns_refuse_what_they_cannot_hold(bad, why):
    with pytest.raises(ValueError, match=why):
        Interactions.build(["a"], ["b"], bad.get("time", [0.0]), bad.get("kind", ["reply"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=40))
def test_graph_agrees_with_networkx(pairs):
    columns = made([(f"a{s}", f"a{t}", 1, "reshare") for s, t in pairs])
    graph = to_networkx(columns)
    source, target, position = distinct_pairs(columns.source, columns.target, len(columns.accounts))
    assert len(source) == graph.number_of_edges()
    counts = np.bincount(position)
    for s, t, n in zip(source, target, counts, strict=True):
        assert graph[columns.accounts[s]][columns.accounts[t]]["weight"] == n
    both = adjacency(columns)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    both_ways = nx.to_scipy_sparse_array(graph, nodelist=columns.accounts, weight="weight")
    assert np.allclose(both.toarray(), np.log1p((both_ways + both_ways.T).toarray()))


def test_every_account_is_answered_once_and_ranked():
    columns = made(crowd())
    rows = score_accounts(columns, UNTIL, seed=1)
    assert sorted(row.account for row in rows) == sorted(columns.accounts)
    assert [row.resonance for row in rows] == sorted((row.resonance for row in rows), reverse=True)
    assert rows[0].rank == 1 and rows[0].resonance > rows[-1].resonance
    for row in rows:
        assert 0 <= row.low <= row.resonance <= row.high <= 100
        assert 0 <= row.members_low <= row.members <= row.members_high
        assert row.rank == 1 + sum(other.resonance > row.resonance for other in rows)


def test_resonance_is_the_published_formula():
    rows = made([("a", "x", 0, "reshare"), ("b", "x", 12, "quote"), ("c", "x", 24, "reply"), ("d", "y", 0, "mention")])
    found = by_account(score_accounts(rows, UNTIL))["x"]
    c = 0.1

    def once(weight):
        return (1 - math.exp(-c * weight)) / (1 - math.exp(-c))

    slow = once(1) + once(0.5)
    fast = once(1) + once(0.5**3)
    mean = 1.0 * math.log1p(slow) + 0.5 * math.log1p(fast) + 0.4 * math.log1p(once(0.25))
    assert found.resonance == pytest.approx(100 * mean / ((1.0 + 0.5 + 0.3 + 0.4) * math.log1p(6)))
    assert found.reshares == pytest.approx(once(1)) and found.quotes == pytest.approx(once(0.5))
    assert found.reactors == 3


def test_rows_at_or_after_the_moment_do_not_count():
    now = crowd()
    later = [("z", "m50", -h, "reshare") for h in (1, 2)]
    assert score_accounts(made(now), UNTIL) == score_accounts(made(now + later), UNTIL)
    assert score_accounts(Interactions.build(["a"], ["b"], [UNTIL], ["reply"]), UNTIL) == []


def test_order_of_rows_does_not_matter():
    rows = crowd()
    one, other = by_account(score_accounts(made(rows), UNTIL)), by_account(score_accounts(made(rows[::-1]), UNTIL))
    for name, row in one.items():
        assert other[name].resonance == pytest.approx(row.resonance)
        assert other[name].rank == row.rank


def test_newer_and_more_distinct_reactions_weigh_more():
    rows = [(f"a{i}", "old", 40, "reshare") for i in range(6)]
    rows += [(f"a{i}", "new", 1, "reshare") for i in range(6)]
    rows += [("a1", "one fan", 1, "reshare")] * 6
    found = by_account(score_accounts(made(rows), UNTIL))
    assert found["new"].resonance > found["old"].resonance
    assert found["new"].resonance > found["one fan"].resonance


def test_one_account_never_counts_more_than_the_cap():
    columns = made([("fan", "star", 0, "reshare")] * 5000)
    weight = parts.once(parts.Pairs.of(columns).total(np.ones(5000)), 0.1)
    assert weight[0] == pytest.approx(1 / (1 - math.exp(-0.1)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 9), st.booleans()), max_size=40))
def test_pairs_add_up_what_plain_dictionaries_do(rows):
    columns = Interactions.build(
        [f"a{r[0]}" for r in rows], [f"a{r[1]}" for r in rows], [0.0] * len(rows), [0] * len(rows)
    )
    weights, chosen = np.array([r[2] for r in rows], float), np.array([r[3] for r in rows], bool)
    for pairs, mask in (
        (parts.Pairs.of(columns), np.ones(len(rows), bool)),
        (parts.Pairs.of(columns).among(chosen, len(columns.accounts)), chosen),
    ):
        total, largest = {}, {}
        for s, t, w in zip(
            columns.source[mask].tolist(), columns.target[mask].tolist(), weights[mask].tolist(), strict=True
        ):
            total[s, t] = total.get((s, t), 0) + w
            largest[s, t] = max(largest.get((s, t), 0), w)
        keys = list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True))
        assert dict(zip(keys, pairs.total(weights).tolist(), strict=True)) == pytest.approx(total)
        assert dict(zip(keys, pairs.largest(weights).tolist(), strict=True)) == largest


def test_second_order_and_bridging():
    rows = [("hub", "x", 0, "reshare"), ("alone", "y", 0, "reshare")]
    rows += [(f"a{i}", "hub", 0, "reshare") for i in range(9)]
    left = [(f"l{i}", "wide", 0, "reshare") for i in range(5)] + [(f"r{i}", "wide", 0, "reshare") for i in range(5)]
    narrow = [(f"l{i}", "narrow", 0, "reshare") for i in range(10)]
    groups = {f"l{i}": (0, 0) for i in range(10)} | {f"r{i}": (1, 1) for i in range(10)}
    found = by_account(score_accounts(made(rows + left + narrow), UNTIL, memberships=groups))
    assert found["x"].second_order > found["y"].second_order == 0
    assert found["narrow"].bridging == 0
    assert found["wide"].bridging == pytest.approx((1 - 2 * 5 * 4 / (10 * 9)) * 10 / 15)
    assert set(found["wide"].by_community) == {0, 1} and set(found["narrow"].by_community) == {0}


def test_missing_parts_are_null_and_named():
    row = score_accounts(made(crowd()), UNTIL)[0]
    assert row.not_negative is None and row.followers is None and row.efficiency_post is None
    assert set(row.parts_missing) == {
        "not_negative",
        "efficiency_post",
        "efficiency_audience",
        "followers",
        "follower_rank",
    }


def test_given_parts_are_answered():
    rows = [("a", "x", 1, "reply"), ("b", "x", 1, "quote"), ("c", "x", 1, "reshare"), ("c", "y", 1, "reply")]
    columns = made(
        rows, item=["p1", "p2", "p1", "p3"], negative=[0.1, 0.1, None, 0.9], followers={"x": 30.0, "y": 10.0}
    )
    found = by_account(score_accounts(columns, UNTIL))
    assert found["x"].not_negative > found["y"].not_negative
    assert found["x"].efficiency_post == pytest.approx(3 / 2)
    assert found["x"].efficiency_audience == pytest.approx(3 / 30)
    assert (found["x"].follower_rank, found["y"].follower_rank, found["a"].follower_rank) == (1, 2, None)
    assert found["x"].items[0] == "p1" and set(found["x"].items) == {"p1", "p2"}
    assert found["x"].parts_missing == ()


def test_followers_and_efficiency_do_not_enter_the_score():
    rows = crowd()
    plain = by_account(score_accounts(made(rows), UNTIL))
    followed = by_account(score_accounts(made(rows, followers={"m40": 1e9}), UNTIL))
    assert {a: r.resonance for a, r in plain.items()} == {a: r.resonance for a, r in followed.items()}


@pytest.mark.parametrize(
    ("exclusions", "reason"),
    [
        (Exclusions(own=frozenset({"m3"})), "own"),
        (Exclusions(bots=frozenset({"m3"})), "bot"),
        (Exclusions(coordinated=frozenset({"m3"})), "coordinated"),
        (Exclusions(newcomers=frozenset({"m3"})), "newcomer"),
    ],
)
def test_what_is_left_out_is_counted_and_flagged(exclusions, reason):
    columns = made(crowd())
    kept, left = counted(columns, exclusions)
    code = columns.code("m3")
    gone = columns.source == code
    if reason == "own":
        gone |= columns.target == code
    assert left.interactions[reason] == gone.sum() > 0
    assert left.total == (gone | (columns.source == columns.target)).sum() and left.of == len(columns)
    assert len(kept) == len(columns) - left.total
    row = by_account(score_accounts(columns, UNTIL, exclusions=exclusions))["m3"]
    assert row.flags == (reason,)


def test_self_reactions_and_giveaways_do_not_count_but_are_shown():
    rows = [("vain", "vain", 0, "reshare")] * 50 + [(f"a{i}", "prize", 0, "reshare") for i in range(20)]
    rows += [("a1", "honest", 0, "reshare"), ("a2", "honest", 0, "reshare")]
    columns = made(rows, item=["v"] * 50 + ["p"] * 20 + ["h"] * 2)
    found = by_account(score_accounts(columns, UNTIL, exclusions=Exclusions(giveaways=frozenset({"p"}))))
    assert found["vain"].resonance == 0
    assert found["honest"].resonance > found["prize"].resonance == 0
    assert found["prize"].resonance_all > found["honest"].resonance_all


@pytest.mark.parametrize("why", ["newcomers", "coordinated", "bots"])
def test_two_hundred_sock_puppets_do_not_raise_a_rank(why):
    honest = crowd(size=800)
    puppets = [(f"puppet{i}", "m30", i % 3, kind) for i in range(200) for kind in KINDS]
    without = by_account(score_accounts(made(honest), UNTIL))["m30"]
    names = frozenset(f"puppet{i}" for i in range(200))
    row = by_account(score_accounts(made(honest + puppets), UNTIL, exclusions=Exclusions(**{why: names})))["m30"]
    assert row.rank >= without.rank
    assert row.resonance <= without.resonance
    assert row.resonance_all > row.resonance


def test_nothing_is_answered_with_nothing():
    assert score_accounts(Interactions.build([], [], [], []), UNTIL) == []
    assert score_accounts(made([("a", "b", -1, "reply")]), UNTIL) == []


def test_the_same_seed_gives_the_same_answer():
    columns = made(crowd(size=900, accounts=120))
    assert score_accounts(columns, UNTIL, seed=3) == score_accounts(columns, UNTIL, seed=3)


def test_interval_is_wider_for_fewer_reactors():
    rows = [(f"a{i}", "many", 0, "reshare") for i in range(200)] + [("a0", "few", 0, "reshare")]
    found = by_account(score_accounts(made(rows), UNTIL))
    few, many = found["few"], found["many"]
    assert few.members_high / few.members > many.members_high / many.members
    assert few.members_low == 0


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("フォロー&リポストで10名様にプレゼント！", True),
        ("【ﾌｫﾛｰ＆RTｷｬﾝﾍﾟｰﾝ】抽選で当たる", True),
        ("このアカウントをフォローしてこの投稿をリポスト", True),
        ("Follow + RT for a chance to win", True),
        ("Retweet to enter our giveaway", True),
        ("follow us and repost", True),
        ("リポストありがとうございます", False),
        ("RTs are not endorsements", False),
        ("今日の抽選に外れた", False),
        ("I follow the news", False),
        ("", False),
    ],
)
def test_giveaways_are_recognised(text, asked):
    assert is_giveaway(text) is asked


SCRAPS = "リポスト フォロー& ﾘﾎﾟｽﾄで 抽選 RT enter ＲＴ follow retweet prize がんばれ ヘ ゛ and".split()


@given(st.lists(st.lists(st.sampled_from([*SCRAPS, " ", "\0"]), max_size=6).map("".join), max_size=6))
def test_giveaways_of_many_are_those_of_a_close_reading(texts):
    assert giveaways(texts) == [place for place, text in enumerate(texts) if _asks(_plain(text))]
