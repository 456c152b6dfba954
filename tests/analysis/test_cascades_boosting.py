"""The boosting that forecasts rest on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.cascades.boosting import Boosting, Plan, fit, weighted_quantile


def made(n=600, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    y = np.where(x[:, 0] > 0, 2.0, -1.0) + 0.5 * x[:, 1] + 0.1 * rng.normal(size=n)
    return x, y


def test_it_learns_and_generalises():
    x, y = made()
    x_new, y_new = made(seed=1)
    model = fit(x, y, np.ones(len(y)), Plan(), seed=0)
    error = np.abs(model.predict(x_new) - y_new).mean()
    assert error < 0.25
    assert error < 0.2 * np.abs(y_new - np.median(y)).mean()


def test_wild_outliers_do_not_move_it():
    x, y = made()
    y[::10] += 1000
    x_new, y_new = made(seed=1)
    assert np.median(np.abs(fit(x, y, np.ones(len(y)), Plan(), seed=0).predict(x_new) - y_new)) < 0.3


def test_weights_decide_whose_median_is_learned():
    x = np.zeros((100, 2))
    y = np.r_[np.zeros(80), np.ones(20)]
    assert fit(x, y, np.ones(100), Plan(), 0).predict(x[:1]) == pytest.approx(0)
    assert fit(x, y, np.r_[np.ones(80), 12 * np.ones(20)], Plan(), 0).predict(x[:1]) == pytest.approx(1)


def test_a_seed_gives_the_same_trees_and_another_gives_others():
    x, y = made()
    one, same, other = (fit(x, y, np.ones(len(y)), Plan(trees=20), seed=s).predict(x) for s in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@given(st.integers(1, 5), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_whole_columns_answer_like_one_row_at_a_time(depth, rows, seed):
    rng = np.random.default_rng(seed)
    trees, values = 7, np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.inf])  # equal to thresholds often
    nodes = 2**depth - 1
    model = Boosting(
        rng.integers(0, 3, (trees, nodes)), rng.choice(values, (trees, nodes)), rng.normal(size=(trees, nodes + 1)), 0.5
    )
    x = rng.choice(values[:-1], (rows, 4))

    def alone(row):
        answer = model.start
        for feature, threshold, leaf in zip(model.feature, model.threshold, model.leaf, strict=True):
            node = 0
            while node < nodes:
                node = 2 * node + (2 if row[feature[node]] > threshold[node] else 1)
            answer += leaf[node - nodes]
        return answer

    assert model.predict(x).tolist() == [alone(row) for row in x]


def test_unsplittable_nodes_answer_like_their_parent():
    x, y = made(n=20)
    model = fit(x, y, np.ones(20), Plan(trees=5, smallest=50), seed=0)
    assert len(np.unique(model.predict(x))) == 1
    assert np.all(np.isinf(model.threshold))


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 4)), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_weighted_quantile_is_the_quantile_of_repeated_values(pairs, level):
    values, weights = (np.array(part, float) for part in zip(*pairs, strict=True))
    found = weighted_quantile(values, weights, level)
    repeated = np.repeat(values, weights.astype(int))
    assert np.mean(repeated <= found) >= level - 1e-9
    assert np.mean(repeated < found) <= level + 1e-9
