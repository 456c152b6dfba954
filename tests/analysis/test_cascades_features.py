"""Features and kernel: finite, causal, and equal to plain definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.cascades import features, from_events
from analysis.cascades.kernel import elapsed, reproduction
from tests.analysis.cascade_worlds import world

AGE = 3600.0
moments = st.lists(st.floats(0, 7200, allow_subnormal=False), max_size=40)


def at(times, age=AGE, **more):
    return dict(zip(features.NAMES, features.matrix([from_events(times, **more)], np.array([age]))[0], strict=True))


@given(moments)
def test_features_are_finite_and_blind_to_the_future(times):
    now = [t for t in times if t <= AGE]
    whole, seen = at(times), at(now)
    assert all(np.isfinite(v) for v in whole.values())
    assert whole == seen


def test_a_cascade_has_the_same_features_alone_and_among_others():
    many = [*world(515, seed=5), from_events([]), from_events(np.linspace(0, 7200, 3 * features.CELLS))]
    together = features.matrix(many, np.full(len(many), AGE))
    assert together.shape == (len(many), len(features.NAMES))
    for i in (0, 256, len(many) - 2, len(many) - 1):
        np.testing.assert_allclose(features.matrix([many[i]], np.array([AGE]))[0], together[i], atol=1e-9)


def test_some_features_by_hand():
    found = at([36, 900, 900, 1800, 3600], root_followers=99)
    assert found["log_count_1.000"] == pytest.approx(np.log(6))
    assert found["log_count_0.250"] == pytest.approx(np.log(4))
    assert found["log_since_0.500"] == pytest.approx(np.log(2))
    assert found["log_first"] == pytest.approx(np.log(0.01 + 1e-3))
    assert found["log_silence"] == pytest.approx(np.log(1e-3))
    assert found["mean_time"] == pytest.approx(np.mean([36, 900, 900, 1800, 3600]) / 3600)
    assert found["distinct_times"] == pytest.approx(0.8)
    assert found["log_root_followers"] == pytest.approx(np.log(100))
    assert at([36])["log_root_followers"] == -1


def test_followers_of_later_reshares_are_not_seen():
    assert at([10, 7000], followers=[5, 1e6])["log_followers"] == pytest.approx(np.log(6))


def test_no_cascades():
    assert features.matrix([], np.empty(0)).shape == (0, len(features.NAMES))


def test_the_kernel_is_a_distribution():
    ages = np.array([-5.0, 0.0, 299.999, 300.001, 1e12])
    shares = elapsed(ages)
    assert shares[0] == shares[1] == 0
    assert shares[2] == pytest.approx(shares[3], abs=1e-5)
    assert shares[4] == pytest.approx(1, abs=0.01)
    assert np.all(np.diff(elapsed(np.geomspace(1, 1e9, 200))) > 0)


def test_reproduction_of_many_is_that_of_each():
    many, ages = world(60, seed=2), np.linspace(1, 9000, 60)

    def alone(times, age):
        known = np.append(0.0, times[times <= age])
        pressure = np.sum(elapsed(age - known) - elapsed(age / 2 - known))
        return (np.sum(known > age / 2) + 1) / (pressure + 1)

    expected = [alone(c.times, age) for c, age in zip(many, ages, strict=True)]
    np.testing.assert_allclose(reproduction(many, ages), expected)


def test_reproduction_is_high_while_growing_and_low_when_silent():
    growing = from_events(3600 * np.linspace(0, 1, 200) ** 0.3)
    over = from_events(np.linspace(1, 300, 200))
    quiet = from_events([])
    high, low, none = reproduction([growing, over, quiet], np.full(3, AGE))
    assert high > 1 > low
    assert 0.8 < none < 1


def test_reproduction_recovers_the_rate_of_a_branching_process():
    rng = np.random.default_rng(0)
    rate, age, estimates = 0.7, 4000.0, []
    grid = np.geomspace(0.01, 1e6, 4000)
    for _ in range(40):
        times, queue = [], [0.0] * 60
        while queue:
            born = queue.pop()
            waits = np.interp(rng.random(rng.poisson(rate)), elapsed(grid), grid)
            fresh = [born + w for w in waits if born + w <= age]
            times += fresh
            queue += fresh
        seeds = np.zeros(59)  # 60 roots at once: one is the cascade's root
        estimates.append(reproduction([from_events([*seeds, *times])], np.array([age]))[0])
    assert np.mean(estimates) == pytest.approx(rate, abs=0.12)
