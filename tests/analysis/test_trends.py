"""The detector as its callers see it: what is told, what is not, and that later rows never matter."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import trends
from analysis.trends import Sensitivity, State, share

MONDAY = 1767571200.0  # 2026-01-05T00:00:00Z
DAY, HOUR = 86400, 3600


def series(days=14, step=900, per_hour=60.0, seed=0, rhythm=0.6, excess=0.05):
    """Negative binomial counts with a daily rhythm."""
    rng = np.random.default_rng(seed)
    times = MONDAY + np.arange(days * DAY // step) * float(step)
    mean = per_hour * step / HOUR * (1 + rhythm * np.sin(2 * np.pi * (times % DAY) / DAY))
    return times, rng.poisson(mean * rng.gamma(1 / excess, excess, len(times))).astype(float)


def shares(days=14, step=900, per_hour=100.0, share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    times = MONDAY + np.arange(days * DAY // step) * float(step)
    totals = rng.poisson(per_hour * step / HOUR, len(times)).astype(float)
    return times, rng.binomial(totals.astype(int), share).astype(float), totals


def rows_of(times, day, hours, length=2):
    begin = MONDAY + day * DAY + hours * HOUR
    return (times >= begin) & (times < begin + length * HOUR)


def test_states_begin_with_a_warm_up_of_three_days():
    times, values = series(days=5)
    found = trends.detect(times, values)
    states = np.array([str(s) for s in found.state])
    young = times - times[0] < 3 * DAY
    assert set(states[young]) == {"warming_up"}
    assert set(states[~young]) == {"ok"}


def test_a_burst_in_the_warm_up_is_no_alert():
    times, values = series(days=5)
    values[rows_of(times, 1, 12)] *= 20
    found = trends.detect(times, values)
    assert not found.alert[times - times[0] < 3 * DAY].any()
    assert not found.score[times - times[0] < 3 * DAY].any()


@pytest.mark.parametrize("step", [300, 900, 3600])
def test_a_burst_opens_one_incident_on_any_step(step):
    times, values = series(step=step)
    burst = rows_of(times, 10, 12)
    values[burst] *= 8
    found = trends.detect(times, values)
    opened = np.flatnonzero(found.alert)
    assert len(opened) == 1
    assert 0 <= times[opened[0]] - times[burst][0] <= HOUR
    assert found.active[opened[0]]
    assert found.direction[opened[0]] == 1
    assert found.score[opened[0]] >= 0.5


@pytest.mark.parametrize("step", [300, 900, 3600])
@pytest.mark.parametrize("per_hour", [1.0, 20.0, 400.0])
def test_quiet_topics_hardly_ever_alert(step, per_hour):
    alerts = sum(
        trends.detect(*series(days=30, step=step, per_hour=per_hour, seed=seed)).alert.sum() for seed in range(3)
    )
    assert alerts <= 3  # in 81 judged days


def test_three_posts_in_a_silent_topic_are_no_alert():
    times = MONDAY + np.arange(20 * 96) * 900.0
    values = np.zeros(len(times))
    values[15 * 96 + 40 : 15 * 96 + 43] = 1
    assert not trends.detect(times, values).alert.any()


def test_the_end_of_a_burst_is_no_dip():
    """The level of the last day is high after a day of news; usual volume after it is not a fall."""
    times, values = series(days=20, per_hour=200, rhythm=0.2)
    values[rows_of(times, 12, 0, 24)] *= 6
    found = trends.detect(times, values)
    assert not (found.direction[times >= MONDAY + 13 * DAY] < 0).any()


def test_what_lasts_is_told_at_a_factor_at_which_a_single_row_is_not():
    """Rows of a heavy tail: a burst of twice the usual is in none of them, only in that all of them are high."""
    rng = np.random.default_rng(5)
    times, values = series(days=28, step=300, per_hour=600, rhythm=0)
    values[rng.random(len(values)) < 0.004] *= 8
    lasting, single = values.copy(), values.copy()
    burst = rows_of(times, 25, 12)
    lasting[burst] = np.median(values) * 2.5
    single[burst & (times % HOUR == 0)] = np.median(values) * 8
    assert trends.detect(times, lasting).alert[burst].any()
    assert not trends.detect(times, single).alert[burst].any()


def test_the_daily_rhythm_is_no_news():
    times, values = series(days=20, per_hour=200, rhythm=0.95)
    assert trends.detect(times, values).alert.sum() <= 1


def test_an_incident_ends_and_a_new_one_opens_days_later():
    times, values = series(days=20)
    values[rows_of(times, 10, 12)] *= 8
    values[rows_of(times, 14, 12)] *= 8
    found = trends.detect(times, values)
    opened = times[found.alert]
    assert len(opened) == 2
    assert not found.active[rows_of(times, 12, 0, 24)].any()


def test_a_return_within_the_cool_down_is_active_without_another_alert():
    times, values = series(days=14)
    values[rows_of(times, 10, 8)] *= 8
    values[rows_of(times, 10, 15)] *= 8
    found = trends.detect(times, values)
    assert found.alert.sum() == 1
    assert found.active[rows_of(times, 10, 16, 1)].any()


def test_silence_of_a_busy_topic_is_a_dip():
    times, values = series(days=14, per_hour=200, rhythm=0.2)
    quiet = rows_of(times, 10, 10, 5)
    values[quiet] = 0
    found = trends.detect(times, values)
    assert found.alert.sum() == 1
    assert found.alert[quiet].sum() == 1
    assert found.direction[found.alert].tolist() == [-1]


def test_a_gap_is_unknown_and_not_a_dip():
    times, values = series(days=14, per_hour=200, rhythm=0.2)
    kept = ~rows_of(times, 10, 10, 7)
    assert not trends.detect(times[kept], values[kept]).alert.any()


def test_rows_of_low_coverage_are_not_judged_and_not_learned():
    times, values = series(days=14, per_hour=200, rhythm=0.2)
    blind = rows_of(times, 10, 10, 7)
    coverage = np.where(blind, 0.2, 1.0)
    values[blind] = 0
    found = trends.detect(times, values, coverage=coverage)
    assert {found.state[i] for i in np.flatnonzero(blind)} == {State.INSUFFICIENT_DATA}
    assert not found.alert.any()
    without = trends.detect(times[~blind], values[~blind])
    np.testing.assert_array_equal(found.surprise[~blind], without.surprise)


def test_partly_covered_rows_are_expected_to_hold_less():
    times, values = series(days=10)
    coverage = np.ones(len(times))
    coverage[-1] = 0.85
    whole = trends.detect(times, values)
    part = trends.detect(times, values, coverage=coverage)
    assert part.expected[-1] == pytest.approx(0.85 * whole.expected[-1])


def test_expected_follows_the_rhythm_and_the_band_holds_most_rows():
    times, values = series(days=20, per_hour=400)
    found = trends.detect(times, values)
    late = times >= MONDAY + 10 * DAY
    truth = 100 * (1 + 0.6 * np.sin(2 * np.pi * (times % DAY) / DAY))
    assert np.median(np.abs(found.expected[late] / truth[late] - 1)) < 0.15
    inside = (values >= found.low) & (values <= found.high)
    assert 0.85 <= inside[late].mean() <= 1
    assert np.all(found.low[late] <= found.expected[late])
    assert np.all(found.expected[late] <= found.high[late])


def test_a_holiday_is_expected_to_be_like_a_sunday():
    times = MONDAY + np.arange(28 * 24) * 3600.0
    weekday = ((times - MONDAY) // DAY) % 7
    values = np.where(weekday >= 6, 20.0, 100.0)
    holiday = date(2026, 1, 27)  # a Tuesday
    plain = trends.detect(times, values)
    aware = trends.detect(times, values, holidays={holiday})
    that_day = (times - MONDAY) // DAY == 22
    assert np.all(aware.expected[that_day] < 0.75 * plain.expected[that_day])


def test_the_day_begins_at_local_midnight():
    times, values = series(days=14)
    tokyo = trends.detect(times, values, timezone=ZoneInfo("Asia/Tokyo"))
    first = np.flatnonzero(~np.isnan(tokyo.expected))[0]
    assert (times[first] + 9 * HOUR) % DAY == 0


@pytest.mark.parametrize("direction", [1, -1])
def test_a_shift_of_the_share_at_unchanged_volume(direction):
    times, parts, totals = shares(share=0.4, per_hour=400)
    shifted = rows_of(times, 10, 12)
    rng = np.random.default_rng(9)
    parts[shifted] = rng.binomial(totals[shifted].astype(int), 0.4 + direction * 0.25)
    found = trends.detect(times, parts, totals)
    opened = np.flatnonzero(found.alert)
    assert len(opened) == 1
    assert shifted[opened[0]]
    assert found.direction[opened[0]] == direction
    assert found.expected[opened[0]] == pytest.approx(0.4, abs=0.08)


def test_a_steady_share_hardly_ever_alerts_however_the_volume_moves():
    alerts = 0
    for seed in range(4):
        times, totals = series(days=20, per_hour=80, seed=seed, excess=0.3)
        totals[rows_of(times, 12, 12)] *= 10
        parts = np.random.default_rng(seed).binomial(totals.astype(int), 0.3)
        alerts += trends.detect(times, parts, totals).alert.sum()
    assert alerts <= 20  # in 68 topic-days; the balanced setting allows about .2 a day


def test_a_share_of_few_posts_is_insufficient():
    times, parts, totals = shares(per_hour=1.0)
    found = trends.detect(times, parts, totals)
    late = [s for s, t in zip(found.state, times, strict=True) if t - times[0] >= 3 * DAY]
    assert late.count(State.INSUFFICIENT_DATA) > 0.9 * len(late)
    assert not found.alert.any()


def test_copied_posts_widen_the_share(monkeypatch):
    """Posts that come in tens, all of one mind, are a tenth of the evidence."""
    rng = np.random.default_rng(3)
    times = MONDAY + np.arange(30 * 96) * 900.0
    threads = rng.poisson(5, len(times))
    totals, parts = threads * 10.0, rng.binomial(threads, 0.3) * 10.0
    aware = trends.detect(times, parts, totals).active.sum()
    monkeypatch.setattr(share, "TOLERANCE", 1e9)
    naive = trends.detect(times, parts, totals).active.sum()
    assert aware < naive / 4


def test_sensitivity_orders_the_number_of_active_rows():
    times, values = series(days=30, excess=0.4)
    for day, factor in ((10, 2), (14, 3), (18, 4), (22, 6)):
        values[rows_of(times, day, 12)] *= factor
    low, balanced, high = (trends.detect(times, values, sensitivity=s).active.sum() for s in Sensitivity)
    assert low <= balanced <= high
    assert low < high


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(1, 799), seed=st.integers(0, 3), shared=st.booleans(), step=st.sampled_from([900, 3600]))
def test_no_answer_depends_on_later_rows(cut, seed, shared, step):
    times, values = series(days=9 if step == 900 else 33, step=step, per_hour=30, seed=seed)
    totals = None
    values[rows_of(times, 6, 12)] *= 9
    if shared:
        totals = values
        values = np.random.default_rng(seed).binomial(totals.astype(int), 0.3).astype(float)
    whole = list(trends.detect(times, values, totals))
    part = list(trends.detect(times[:cut], values[:cut], None if totals is None else totals[:cut]))
    assert part == whole[:cut]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=0, max_size=400), st.data())
def test_any_counts_at_any_times_give_finite_answers(values, data):
    gaps = data.draw(st.lists(st.sampled_from([1, 300, 900, 86400 * 3]), min_size=len(values), max_size=len(values)))
    times = MONDAY + np.cumsum(gaps)
    for row in trends.detect(times, values):
        assert 0 <= row.score <= 1
        assert np.isfinite(row.surprise)
        assert not row.alert or row.active
        assert (row.direction is not None) == row.active
        assert row.expected is None or row.low <= row.expected <= row.high


@pytest.mark.parametrize(
    ("times", "values", "totals", "words"),
    [
        ([0, 0], [1, 1], None, "ascending"),
        ([0, 1], [1], None, "shape"),
        ([0, 1], [1, -1], None, "negative"),
        ([0, 1], [1, np.nan], None, "finite"),
        ([0, 1], [1, 3], [1, 2], "exceeds"),
    ],
)
def test_wrong_input_is_refused(times, values, totals, words):
    with pytest.raises(ValueError, match=words):
        trends.detect(times, values, totals)


def test_rows_iterate_in_order_with_plain_types():
    times, values = series(days=5)
    found = trends.detect(times, values)
    rows = list(found)
    assert len(found) == len(rows) == len(times)
    assert rows[0].expected is None
    assert type(rows[-1].expected) is float
    assert type(rows[-1].alert) is bool


@pytest.mark.parametrize("sensitivity", ["low", "balanced", "high"])
def test_a_higher_bound_answers_as_detect_would(sensitivity):
    times, values = series()
    values[rows_of(times, 9, 12)] *= 3
    values[rows_of(times, 12, 5)] *= 6
    parts, totals = shares()[1:]
    parts[rows_of(times, 10, 6)] = np.round(totals[rows_of(times, 10, 6)] * 0.6)
    coverage = np.ones(len(times))
    coverage[700:720] = 0.5
    for columns, share_of in (((values,), False), ((parts, totals), True)):
        most = trends.detect(times, *columns, coverage=coverage, sensitivity="high", strictness=0.9)
        asked = trends.detect(times, *columns, coverage=coverage, sensitivity=sensitivity, strictness=1.2)
        found = trends.stricter(most, coverage, trends.hysteresis(sensitivity, share=share_of, strictness=1.2))
        assert asked.alert.any()
        assert list(found) == list(asked)


def test_strictness_multiplies_the_bound():
    times, values = series()
    values[rows_of(times, 10, 12)] *= 2.2
    alerts = [trends.detect(times, values, strictness=s).alert.sum() for s in (0.5, 1.0, 3.0)]
    assert alerts[0] >= alerts[1] >= alerts[2] == 0 and alerts[0] > 0
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="strictness"):
            trends.detect(times, values, strictness=wrong)


def wandering(sd, days=30, per_hour=400, seed=0):
    """A share whose log odds wander around .3 with this standard deviation, forgotten in a day."""
    rng = np.random.default_rng(seed)
    times, totals = MONDAY + np.arange(days * 96) * 900.0, rng.poisson(per_hour / 4, days * 96)
    keep, steps = np.exp(-1 / 96), rng.normal(0, sd, days * 96)
    walk = np.zeros(days * 96)
    for i in range(1, len(walk)):
        walk[i] = keep * walk[i - 1] + np.sqrt(1 - keep**2) * steps[i]
    return times, rng.binomial(totals, 1 / (1 + np.exp(0.85 - walk))).astype(float), totals.astype(float)


def test_how_far_a_share_wanders_is_learned(monkeypatch):
    restless, calm = wandering(0.5), wandering(0.05)
    found = [share.follow(t, x, n, t % DAY / HOUR).wander[-1] for t, x, n in (restless, calm)]
    assert found == [max(share.WANDERS), min(share.WANDERS)]
    learned = trends.detect(*restless).active.sum()
    monkeypatch.setattr(share, "WANDERS", (0.1,))
    assert learned < trends.detect(*restless).active.sum() / 2


def test_a_second_surge_within_a_day_must_outweigh_the_first():
    """Twice the same faint surge: told once after a strong one, but also a day later."""
    times, parts, totals = shares(days=16, per_hour=200)
    for day, hours, share_of in ((10, 6, 0.7), (10, 14, 0.46), (12, 14, 0.46)):
        rows = rows_of(times, day, hours)
        parts[rows] = np.round(share_of * totals[rows])
    found = trends.detect(times, parts, totals)
    told = [found.alert[rows_of(times, day, hours, 3)].any() for day, hours in ((10, 6), (10, 14), (12, 14))]
    assert told == [True, False, True]
