"""The pieces of the detector, each against a value worked out by hand or by another method."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from analysis.trends import calibrate, share
from analysis.trends.calendar import UnknownCountry, local_calendar, public_holidays, utc_offsets
from analysis.trends.incidents import Hysteresis, incidents
from analysis.trends.volume import baseline, sustained_counts, window_counts
from analysis.trends.windows import (
    infer_step,
    scales,
    soft_maximum,
    trailing_smallest,
    trailing_sum,
    window_starts,
)

RULE = Hysteresis(open=2.0, close=1.0, calm=120, cooldown=600)


def unix(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_offsets_change_with_the_clock():
    berlin = ZoneInfo("Europe/Berlin")
    times = np.array([unix("2026-03-29T00:59:00"), unix("2026-03-29T01:00:00")])
    assert utc_offsets(times, berlin).tolist() == [3600, 7200]


def test_local_calendar_of_tokyo():
    found = local_calendar(np.array([unix("2026-01-05T14:30:00"), unix("2026-01-05T15:00:00")]), ZoneInfo("Asia/Tokyo"))
    assert found.hour.tolist() == [23.5, 0.0]
    assert np.diff(found.day).tolist() == [1]
    assert found.weekday.tolist() == [0, 1]
    assert found.day_edges().tolist() == [0, 1, 2]


def test_a_holiday_has_the_weekday_of_sunday():
    found = local_calendar(np.array([unix("2026-01-06T12:00:00")]), UTC, {date(2026, 1, 6)})
    assert found.weekday.tolist() == [6]


def test_public_holidays_of_japan():
    found = public_holidays("jp", [2026])
    assert {date(2026, 1, 1), date(2026, 5, 5), date(2026, 5, 6)} <= found  # 6 May: a substitute holiday
    with pytest.raises(UnknownCountry, match="XX"):
        public_holidays("XX", [2026])


def test_days_never_go_backwards_when_the_clock_does():
    havana = ZoneInfo("America/Havana")  # clocks go back from 1:00 to 0:00
    times = unix("2026-11-01T00:00:00") + np.arange(24) * 900.0
    assert np.all(np.diff(local_calendar(times, havana).day) >= 0)


def test_the_step_is_the_usual_distance_of_the_first_rows():
    times = np.concatenate([np.arange(30) * 300.0, 9000 + np.arange(1, 500) * 60.0])
    times = np.delete(times, 7)
    assert infer_step(times) == 300


def test_windows_ignore_missing_rows():
    times = np.array([0.0, 300, 600, 1500, 1800])
    starts = window_starts(times, 900, 300)
    assert starts.tolist() == [0, 0, 0, 3, 3]
    assert trailing_sum(np.array([1.0, 2, 3, 4, 5]), starts).tolist() == [1, 3, 6, 4, 9]


@pytest.mark.parametrize(("step", "left"), [(300, [300, 3600]), (900, [3600]), (7200, [7200])])
def test_scales_that_a_step_can_resolve(step, left):
    assert scales((300.0, 3600.0), step) == left


def test_incident_opens_lasts_and_ends():
    times = np.arange(10) * 60.0
    alert, active = incidents(times, np.array([0, 2.5, 1.2, 0.5, 0.5, 0.5, 0.5, 0, 0, 0]), RULE)
    assert np.flatnonzero(alert).tolist() == [1]
    assert np.flatnonzero(active).tolist() == [1, 2, 3]


def test_cool_down_holds_the_second_alert_back_and_then_lets_it_through():
    times = np.arange(40) * 60.0
    surprise = np.zeros(40)
    surprise[[1, 8, 30]] = 3
    alert, active = incidents(times, surprise, RULE)
    assert np.flatnonzero(alert).tolist() == [1, 30]
    assert active[8]


def test_within_the_memory_another_incident_must_outweigh_the_last():
    times = np.arange(60) * 60.0
    rule = replace(RULE, memory=2400, doubt=1.0)
    assert rule.needed(-np.inf) == 2.0
    assert rule.needed(3.0) == pytest.approx(2.0 + np.log(2.0))
    assert rule.needed(9.0) == pytest.approx(8.0, abs=0.01)
    surprise = np.zeros(60)
    surprise[[1, 15, 30]] = 3, 2.6, 2.8  # 2.69 is needed
    alert, active = incidents(times, surprise, rule)
    assert np.flatnonzero(alert).tolist() == [1, 30]
    assert not active[15]
    surprise[30], surprise[50] = 0, 2.1  # the memory is over
    assert np.flatnonzero(incidents(times, surprise, rule)[0]).tolist() == [1, 50]


def test_surprise_in_spreads_above_a_busy_days_maximum():
    days = 12
    times = np.arange(days * 24) * 3600.0
    surprise = np.zeros(len(times))
    surprise[12::24] = 1 + 0.1 * (np.arange(days) % 3)  # maxima 1, 1.1, 1.2, 1, ...
    found = calibrate.against_daily_maxima(surprise, local_calendar(times, UTC), prior_spread=0.2)
    past = surprise[12::24][1 : days - 1]
    mad = 1.4826 * np.median(np.abs(past - np.median(past)))
    weight = len(past) / (len(past) + calibrate.PRIOR_DAYS)
    spread = np.sqrt((1 - weight) * 0.2**2 + weight * mad**2)
    assert found[-12] == pytest.approx((surprise[-12] - np.quantile(past, calibrate.BUSY)) / spread)
    assert np.all(np.isneginf(found[: 3 * 24]))


def test_baseline_learns_hours_and_weekdays():
    times = unix("2026-01-05T00:00:00") + np.arange(28 * 24) * 3600.0
    calendar = local_calendar(times, UTC)
    truth = np.where((calendar.hour >= 8) & (calendar.hour < 20), 100.0, 20.0) * np.where(calendar.weekday >= 5, 0.4, 1)
    found = baseline(times, truth, np.ones(len(times)), calendar, 3600.0)
    last_week = slice(-7 * 24, None)
    noon, midnight = (calendar.hour[last_week] == h for h in (13, 2))
    expected = found.season[last_week]
    assert expected[noon & (calendar.weekday[last_week] < 5)] == pytest.approx(100, rel=0.2)
    assert expected[noon & (calendar.weekday[last_week] >= 5)] == pytest.approx(40, rel=0.35)
    assert np.all(expected[midnight] < 0.4 * expected[noon])


def test_one_burst_does_not_become_the_baseline():
    times = np.arange(10 * 96) * 900.0
    calm, burst = np.full(len(times), 20.0), np.full(len(times), 20.0)
    burst[5 * 96 + 40 : 5 * 96 + 48] = 2000
    calendar = local_calendar(times, UTC)
    one, other = (baseline(times, v, np.ones(len(times)), calendar, 900.0) for v in (calm, burst))
    assert other.season[-96:] == pytest.approx(one.season[-96:], rel=0.1)


def test_windows_are_compared_with_the_level_before_them():
    times = np.arange(10 * 96) * 900.0
    values = np.full(len(times), 20.0)
    values[-4:] = 100
    base = baseline(times, values, np.ones(len(times)), local_calendar(times, UTC), 900.0)
    window = window_counts(times, values, base, 3600.0, 900.0)
    assert window.seen[-1] == 400
    assert window.expected[-1] == pytest.approx(80, rel=0.02)
    assert 0 < window.log_ratio[-1] < np.log(400 / 80)
    assert np.isneginf(window.log_ratio[0])


def _window(parts, posts, odds=-0.8, error=0.2):
    row = [np.array([float(v)]) for v in (parts, posts, odds, error, 1.0)]
    return share.ShareWindow(*row)


@pytest.mark.parametrize("parts", [10, 25, 40])
def test_evidence_is_the_bayes_factor(parts):
    def likelihood(theta):
        return np.exp(parts * theta - 60 * np.logaddexp(0, theta) + 40)

    def averaged(mean, spread):
        return quad(lambda x: likelihood(x) * norm.pdf(x, mean, spread), mean - 6, mean + 6, points=[mean])[0]

    truth = np.log(averaged(-0.8 + share.SHIFT, np.hypot(0.2, share.SHIFT_SPREAD)) / averaged(-0.8, 0.2))
    assert share.evidence(_window(parts, 60), 1)[0] == pytest.approx(max(truth, share.NO_EVIDENCE), abs=0.1)


def test_evidence_needs_posts_and_an_expectation():
    assert share.evidence(_window(7, 7), 1)[0] == share.NO_EVIDENCE
    assert share.evidence(_window(60, 60, odds=np.nan), 1)[0] == share.NO_EVIDENCE
    assert share.evidence(_window(45, 60), 1)[0] > 3 > 0 > share.evidence(_window(45, 60), -1)[0]


def test_a_soft_maximum_of_log_factors_is_the_log_of_their_mean():
    found = soft_maximum([np.array([0.0]), np.array([np.log(3.0)])])
    assert found[0] == pytest.approx(np.log(2.0))


@pytest.mark.parametrize("sharpness", [0.5, 2.0, 5.0])
def test_a_soft_maximum_lies_between_the_mean_and_the_largest(sharpness):
    columns = [np.array([1.0, -np.inf, 4.0]), np.array([3.0, -np.inf, 4.0])]
    found = soft_maximum(columns, sharpness)
    assert 2.0 < found[0] < 3.0
    assert found[1] < -10
    assert found[2] == pytest.approx(4.0)


@pytest.mark.parametrize(("rows", "rank"), [(1, 0), (2, 0), (6, 1), (12, 2)])
def test_the_smallest_of_trailing_rows_against_a_plain_sort(rows, rank):
    values = np.random.default_rng(0).poisson(3, 50).astype(float)
    plain = [sorted([*[0.0] * (rows - 1), *values][i : i + rows])[rank] for i in range(len(values))]
    assert trailing_smallest(values, rows, rank).tolist() == plain


def _flat_week(values, step=300.0):
    times = unix("2026-01-05T00:00:00") + np.arange(len(values)) * step
    calendar = local_calendar(times, UTC)
    return times, baseline(times, np.full(len(values), 10.0), np.ones(len(values)), calendar, step)


def test_what_lasts_is_what_five_in_six_rows_reach():
    """Half an hour of 30 posts a row counts whole, a single row of 1,000 not at all."""
    values = np.full(7 * 288, 10.0)
    times, base = _flat_week(values)
    values[-6:] = 30.0
    lasting = sustained_counts(times, values, base, 1800.0, 300.0)
    assert lasting.seen[-1] == 6 * 30
    assert lasting.expected[-1] == pytest.approx(60, rel=0.02)
    extra = np.sqrt(4.0) + 0.6 * base.typical[-1]
    assert lasting.log_ratio[-1] == pytest.approx(np.log((30 + extra) / (10 + extra)), abs=0.02)
    values[-6:] = [10, 10, 10, 10, 10, 1000]
    assert sustained_counts(times, values, base, 1800.0, 300.0).seen[-1] == 60


def test_a_capped_level_expects_no_more_than_the_season():
    values = np.full(7 * 288, 10.0)
    times, base = _flat_week(values)
    busy = replace(base, level=np.full(len(values), 5.0))
    assert window_counts(times, values, busy, 7200.0, 300.0).expected[-1] == pytest.approx(5 * 240, rel=0.02)
    capped = window_counts(times, values, busy, 7200.0, 300.0, most_level=1.0)
    assert capped.expected[-1] == pytest.approx(240, rel=0.02)


def test_the_filter_finds_a_constant_share_and_its_uncertainty_shrinks():
    rng = np.random.default_rng(0)
    times = np.arange(10 * 24) * 3600.0
    totals = np.full(len(times), 200.0)
    filtered = share.follow(times, rng.binomial(200, 0.3, len(times)).astype(float), totals, times % 86400 / 3600)
    rows = np.arange(len(times))
    odds, error = share.predict(filtered, rows, times, times % 86400 / 3600)
    assert np.isnan(odds[0])
    assert 1 / (1 + np.exp(-odds[-48:])) == pytest.approx(0.3, abs=0.05)
    assert error[-1] < error[3]
    assert np.all(filtered.dispersion >= 1)
    assert filtered.dispersion[-1] < 1.3
