"""Events and interval-censored counts become one kind of cascade."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.cascades import BadSeries, from_counts, from_events
from analysis.cascades.series import WEEK


def test_events_are_sorted_with_their_followers():
    cascade = from_events([30, 10, 20], [3, 1, 2], root_followers=9)
    assert cascade.times.tolist() == [10, 20, 30]
    assert cascade.followers.tolist() == [1, 2, 3]
    assert (cascade.kind, cascade.root_followers) == ("events", 9)


def test_size_counts_the_root_and_reshares_up_to_the_very_moment():
    cascade = from_events([0, 10, 20])
    assert [cascade.size(a) for a in (0, 9.9, 10, 20, WEEK)] == [2, 2, 3, 4, 4]


@pytest.mark.parametrize("times", [[-1.0], [float("nan")], [float("inf")], [[1.0]]])
def test_times_that_cannot_be_are_refused(times):
    with pytest.raises(BadSeries, match="seconds after its root"):
        from_events(times)


def test_followers_must_match():
    with pytest.raises(BadSeries, match="2 follower counts for 1"):
        from_events([1], [1, 2])


def test_counts_spread_reshares_over_the_interval_in_which_they_came():
    cascade = from_counts([0, 100, 300], [1, 3, 5])
    assert cascade.times.tolist() == [50, 100, 200, 300]
    assert (cascade.kind, cascade.seen_until) == ("counts", 300)
    assert cascade.known_age(1000) == 300
    assert cascade.known_age(200) == 200


def test_a_falling_count_keeps_what_was_seen():
    assert from_counts([0, 10, 20, 30], [1, 5, 3, 6]).times.tolist() == [2.5, 5, 7.5, 10, 30]


def test_a_count_at_the_root_itself_is_taken_as_it_is():
    assert from_counts([0, 60], [3, 3]).size(0) == 3


@pytest.mark.parametrize(("times", "counts"), [([], []), ([1], [1, 2]), ([-1], [1]), ([1], [float("nan")])])
def test_count_series_that_cannot_be_are_refused(times, counts):
    with pytest.raises(BadSeries):
        from_counts(times, counts)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 500)), min_size=1, max_size=20))
def test_a_count_series_agrees_with_what_was_seen(rows):
    times, counts = zip(*rows, strict=True)
    cascade = from_counts(times, counts)
    assert np.all(np.diff(cascade.times) >= 0)
    assert cascade.size(WEEK * 2) == max(counts)
    for moment in times:
        best = max(n for t, n in rows if t <= moment)
        assert cascade.size(moment + 1e-6 * (1 + moment)) >= best
