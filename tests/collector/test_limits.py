"""Rate-limit windows and when to ask again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import RateLimited
from collector.limits import LONGEST, SHORTEST, Windows
from collector.refresh_plan import LATEST, OLDEST, SOONEST, plan
from collector.sources import sources
from config import MastodonInstance, Settings, XSettings

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)


def windows():
    return Windows("x", "x-rate-limit", timedelta(minutes=15))


def headers(left, reset, date=NOW):
    return {
        "x-rate-limit-remaining": str(left),
        "x-rate-limit-reset": str(int(reset.timestamp())),
        "date": format_datetime(date, usegmt=True),
    }


def test_a_used_up_window_is_not_asked_and_each_endpoint_has_its_own():
    limits = windows()
    limits.after("search", headers(0, NOW + timedelta(minutes=5)), NOW)
    with pytest.raises(RateLimited) as raised:
        limits.before("search", NOW + timedelta(minutes=4))
    assert raised.value.until == NOW + timedelta(minutes=5)
    limits.before("posts", NOW)
    limits.before("search", NOW + timedelta(minutes=5))


def test_the_servers_clock_counts_only_by_its_difference():
    limits, ahead = windows(), timedelta(hours=9)
    limits.after("search", headers(0, NOW + ahead + timedelta(minutes=5), NOW + ahead), NOW)
    with pytest.raises(RateLimited) as raised:
        limits.before("search", NOW)
    assert raised.value.until == NOW + timedelta(minutes=5)


def test_retry_after_goes_before_the_reset():
    error = windows().refused("search", {**headers(0, NOW + timedelta(minutes=5)), "retry-after": "30"}, NOW)
    assert error.until == NOW + timedelta(seconds=30)


def test_an_answer_ends_a_row_of_refusals():
    limits = windows()
    limits.refused("search", {}, NOW)
    assert limits.refused("search", {}, NOW).until == NOW + timedelta(minutes=30)
    limits.after("search", {}, NOW)
    assert limits.refused("search", {}, NOW).until == NOW + timedelta(minutes=15)


odd = st.one_of(st.none(), st.text(max_size=20), st.integers().map(str), st.floats().map(str))


@given(odd, odd, odd, odd)
def test_odd_headers_give_a_bounded_wait(left, reset, date, after):
    named = {"x-rate-limit-remaining": left, "x-rate-limit-reset": reset, "date": date, "retry-after": after}
    given_headers = {name: value for name, value in named.items() if value is not None}
    limits = windows()
    limits.after("search", given_headers, NOW)
    error = limits.refused("search", given_headers, NOW)
    assert SHORTEST <= error.until - NOW <= LONGEST


# ------------------------------------------------------------------ when a post is asked again


def interval(age, network="mastodon", now=NOW, **more):
    return plan(network, now - age, now, **more).due - now


def test_young_posts_are_asked_often_and_old_ones_rarely():
    ages = [timedelta(minutes=5), timedelta(hours=4), timedelta(days=1), timedelta(days=8)]
    assert [interval(age) for age in ages] == [
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(days=2),
    ]


def test_what_moves_is_asked_more_often_and_deeply():
    age = timedelta(days=1)
    assert interval(age, per_hour=10) == timedelta(minutes=30)
    assert interval(age, per_hour=10_000) == SOONEST
    assert plan("mastodon", NOW - age, NOW, per_hour=10).deep and not plan("mastodon", NOW - age, NOW).deep


def test_an_analysis_may_ask_for_more():
    wished = plan("x", NOW - timedelta(days=20), NOW, priority=1)
    assert wished.deep and wished.due == NOW + timedelta(days=2.5)
    assert wished.priority > plan("x", NOW, NOW, per_hour=0.5).priority


def test_pitfall_25_a_quiet_post_of_x_does_not_cost_again_soon_after_midnight():
    late = NOW.replace(hour=23, minute=30)
    age = timedelta(hours=4)
    assert interval(age, "x", late) == timedelta(days=1)
    assert interval(age, "mastodon", late) == timedelta(hours=1)
    assert interval(age, "x", late, per_hour=30) == timedelta(minutes=10)
    assert interval(age, "x") == timedelta(hours=1)


def test_what_is_old_and_still_is_left_alone():
    assert plan("x", NOW - OLDEST - timedelta(days=1), NOW).due is None
    assert plan("x", NOW - OLDEST - timedelta(days=1), NOW, per_hour=5).due is not None


@given(st.timedeltas(timedelta(days=-9), timedelta(days=99)), st.floats(0, 1e9), st.floats(0, 1e6), st.booleans())
def test_the_next_time_is_always_ahead_and_never_far(age, per_hour, priority, on_x):
    due = plan("x" if on_x else "mastodon", NOW - age, NOW, per_hour, priority).due
    assert due is None or SOONEST <= due - NOW <= LATEST


# ------------------------------------------------------------------ what is configured


def test_x_without_a_token_is_left_out():
    hosts = (MastodonInstance(url="https://mastodon.example"), MastodonInstance(url="https://other.example"))
    found = sources(Settings(mastodon=hosts))
    assert [(s.name, s.network) for s in found] == [("mastodon.example", "mastodon"), ("other.example", "mastodon")]
    assert [s._reads("ann@elsewhere.example", NOW) for s in found if _told(s)] == [True, False]
    both = sources(Settings(x=XSettings(bearer_token="secret"), mastodon=hosts))
    assert [s.name for s in both] == ["x", "mastodon.example", "other.example"]
    for source in (*found, *both):
        source.close()


def _told(source):
    source._instance, source._asked_at = {"domain": source.name}, NOW
    return True
