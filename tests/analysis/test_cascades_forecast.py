"""Forecasts on a world whose laws are known, and the built-in forecaster."""

import numpy as np
import pytest

from analysis.cascades import Cascade, Forecaster, TooFewCascades, from_counts, from_events
from analysis.cascades.boosting import Plan
from analysis.cascades.forecast import DEFAULT, GRID
from tests.analysis.cascade_worlds import world

AGE = 3600.0
QUICK = Plan(trees=60, depth=3)


@pytest.fixture(scope="module")
def learned():
    return Forecaster.fit(world(300, seed=1), [0.8 * AGE, AGE, 1.25 * AGE], QUICK)


@pytest.fixture(scope="module")
def fresh():
    return world(400, seed=2)


@pytest.fixture(scope="module")
def finals(fresh):
    return np.array([c.size() for c in fresh], float)


def error(found, finals):
    return np.median(np.abs(found.size - finals) / (finals - 1))


def test_it_beats_multiplying_by_the_median_growth(learned, fresh, finals):
    past = world(300, seed=1)
    seen, end = (np.array([c.size(a) - 1 for c in past]) for a in (AGE, 7 * 86400))
    factor = np.median(end[seen > 0] / seen[seen > 0])
    now = np.array([c.size(AGE) - 1 for c in fresh])
    simple = np.median(np.abs(now * factor + 1 - finals) / (finals - 1))
    assert error(learned.forecast(fresh, AGE), finals) < 0.7 * simple


def test_the_interval_holds_and_says_something(learned, fresh, finals):
    found = learned.forecast(fresh, AGE)
    inside = (found.low <= finals) & (finals <= found.high)
    assert inside.mean() > 0.88
    assert np.median(found.high / found.low) < 8


def test_sizes_are_in_order_and_no_smaller_than_seen(learned, fresh):
    for age in (1.0, 60.0, AGE, 6 * 86400.0):
        found = learned.forecast(fresh, age)
        assert np.all(found.observed <= found.low)
        assert np.all(found.low <= found.size)
        assert np.all(found.size <= found.high)
        assert np.all((found.p_top > 0) & (found.p_top < 1))
        assert np.all(found.reproduction > 0)


def test_nothing_after_the_age_is_looked_at(learned, fresh):
    cut = [from_events(c.times[c.times <= AGE]) for c in fresh]
    whole, seen = learned.forecast(fresh, AGE), learned.forecast(cut, AGE)
    for name in ("size", "low", "high", "p_top", "reproduction", "observed"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(seen, name))


def test_each_cascade_is_answered_for_itself(learned, fresh):
    together = learned.forecast(fresh[:20], AGE)
    alone = learned.forecast([fresh[7]], AGE)
    assert alone.size[0] == pytest.approx(together.size[7])
    assert alone.p_top[0] == pytest.approx(together.p_top[7])


def test_ages_may_differ(learned, fresh):
    ages = np.array([600.0, AGE, 7200.0])
    mixed = learned.forecast(fresh[:3], ages)
    for i, age in enumerate(ages):
        assert mixed.high[i] == learned.forecast([fresh[i]], age).high[0]
    assert mixed.age.tolist() == ages.tolist()


def test_p_top_is_a_calibrated_probability(learned, fresh, finals):
    found = learned.forecast(fresh, AGE)
    large = finals > np.quantile(learned.finals, 0.95)
    assert found.p_top.sum() == pytest.approx(large.sum(), abs=12)
    assert found.p_top[large].mean() > 4 * found.p_top[~large].mean()


def test_p_top_asks_for_the_reference(learned, fresh):
    easy, hard = (learned.forecast(fresh, AGE, reference=[size] * 10).p_top for size in (20, 5000))
    assert np.all(easy > hard)
    among = learned.forecast(fresh, AGE, reference=[]).p_top
    assert 0.02 * len(fresh) < among.sum() < 0.12 * len(fresh)


def test_counts_at_refreshes_forecast_about_as_well_as_events(learned, fresh, finals):
    refreshes = np.array([300, 600, 1200, 1800, 2700, 3600.0])
    counts = [from_counts(refreshes, [c.size(t) for t in refreshes]) for c in fresh]
    found = learned.forecast(counts, AGE)
    assert found.observed.tolist() == [c.size(AGE) for c in fresh]
    assert error(found, finals) < 1.5 * error(learned.forecast(fresh, AGE), finals)


def test_a_count_series_is_forecast_from_its_last_count(learned):
    found = learned.forecast([from_counts([0, 1800], [1, 50])], AGE)
    assert found.age.tolist() == [1800]


def test_a_finished_history_of_counts_can_be_learned_from(fresh):
    times = np.r_[600.0, 3600.0, 6 * 3600.0, 86400.0 * np.arange(1, 8)]
    history = [from_counts(times, [c.size(t) for t in times]) for c in fresh[:100]]
    assert Forecaster.fit(history, [AGE], QUICK).forecast(history, AGE).size.shape == (100,)


def test_too_few(fresh):
    with pytest.raises(TooFewCascades, match="3 finished cascades; at least 20"):
        Forecaster.fit(fresh[:3], [AGE])


def test_a_history_that_does_not_grow(fresh):
    still = [from_events([10.0, 20.0])] * 30
    found = Forecaster.fit(still, [AGE], QUICK).forecast(still[:2], AGE)
    assert found.size.tolist() == [3, 3]
    assert np.all(found.high <= 4)


def test_the_same_seed_gives_the_same_forecast(fresh, learned):
    again = Forecaster.fit(world(300, seed=1), [0.8 * AGE, AGE, 1.25 * AGE], QUICK)
    np.testing.assert_array_equal(again.forecast(fresh, AGE).size, learned.forecast(fresh, AGE).size)


def test_saved_coefficients_answer_alike(learned, fresh, tmp_path, monkeypatch):
    learned.save(tmp_path / "kept.npz")
    monkeypatch.setattr("analysis.cascades.forecast.DEFAULT", tmp_path / "kept.npz")
    Forecaster.default.cache_clear()
    try:
        kept = Forecaster.default().forecast(fresh, AGE)
    finally:
        Forecaster.default.cache_clear()
    # thresholds are kept in single precision: a value on the very edge may change sides
    assert np.median(np.abs(kept.size / learned.forecast(fresh, AGE).size - 1)) < 1e-3


def test_no_cascades(learned):
    assert learned.forecast([], AGE).size.shape == (0,)


def test_the_default_is_small_and_answers_at_any_age():
    assert DEFAULT.stat().st_size < 500_000
    growing = Cascade(np.sort(3600 * np.random.default_rng(0).random(300) ** 2))
    silent = from_events([])
    for age in (30.0, GRID[0], 777.0, 86400.0, 7 * 86400.0):
        found = Forecaster.default().forecast([growing, silent], age)
        assert np.all(np.isfinite([found.size, found.low, found.high, found.p_top]))
        assert found.size[0] >= found.observed[0]


def test_the_default_promises_little_to_posts_that_nobody_reshares():
    found = Forecaster.default().forecast([from_events([]), from_events([40.0, 3000.0])], AGE)
    assert found.size[0] < 10
    assert found.size[1] < 30
    assert np.all(found.p_top < 0.05)


def test_the_default_beats_the_present_size_on_a_world_it_does_not_know(fresh, finals):
    found = Forecaster.default().forecast(fresh, AGE)
    assert error(found, finals) < np.median(np.abs(found.observed - finals) / (finals - 1))
