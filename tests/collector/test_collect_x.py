"""X through tweepy, from the sandbox: paging, overlap, gaps, accounts, faults."""

import logging
from datetime import timedelta
from threading import Event

import pytest

from collector.base import Target
from collector.errors import (
    BadAnswer,
    BudgetSpent,
    CollectorError,
    NetworkDown,
    NotAuthorised,
    RateLimited,
    Refused,
    UsageCapped,
)
from collector.x.budget import Spent
from collector.x.client import HOST
from collector.x.ids import moment_of
from collector.x.walk import MARGIN, lowest_allowed
from config import Topic
from sandbox.faults import Fault
from store.ingest import checkpoints, save_page
from tests.collector.town import BEGIN, TOPIC, Reader, Town, stored

SEARCH = "/2/tweets/search/recent"


@pytest.fixture
def town():
    return Town("x")


def names(keys):
    return {f"x:{key}" for key in keys}


def test_a_first_visit_reads_one_day_back_and_says_what_it_observed(town):
    town.posts([-25 * 60])
    wanted = town.posts(range(0, 250))
    with town.x() as (_, source):
        page = Reader(source).read(town.at(260))
    assert {p.id for p in page.posts} == names(wanted)
    assert [(o.topic, o.network, o.end) for o in page.observed] == [("kopi", "x", town.now - timedelta(seconds=30))]
    assert {m.observer for m in page.metrics} == {"x"} and {a.handle for a in page.accounts} == {"u0"}


def test_pitfall_1_every_page_carries_its_own_checkpoint(town, tmp_path):
    town.posts(range(250))
    with town.x() as (_, source):
        store = stored(tmp_path, source, town.at(260))
        kept = store.one("SELECT COUNT(*) FROM posts")
        cursors = checkpoints(store, "x")
    assert kept == 250
    assert [c for name, c in cursors.items() if name.startswith("search:") and "pending" not in c]
    store.close()


def test_pitfall_2_a_death_midway_leaves_no_hole(town):
    wanted = names(town.posts(range(350)))
    with town.x() as (_, source):
        reader, seen = Reader(source), set()
        for page in reader.pages(town.at(360)):
            seen |= {p.id for p in page.posts}
            break  # killed after the first, newest page
        cursor = next(iter(reader.cursors.values()))
        assert "since_id" not in cursor and cursor["pending"]["token"]
        wanted |= names(town.posts(range(361, 400)))
        seen |= reader.ids(town.at(410))
    assert seen == wanted


def test_pitfall_2_since_id_is_the_first_pages_newest(town):
    keys = town.posts(range(250))
    with town.x() as (_, source):
        reader = Reader(source)
        reader.read(town.at(260))
    cursor = next(c for name, c in reader.cursors.items() if name.startswith("search:"))
    assert cursor["since_id"] == keys[-1] and "pending" not in cursor


def test_a_paging_token_that_has_expired_is_replaced_by_the_oldest_id(town):
    wanted = names(town.posts(range(250)))
    with town.x() as (_, source):
        reader, seen = Reader(source), set()
        for page in reader.pages(town.at(260)):
            seen |= {p.id for p in page.posts}
            break
        next(iter(reader.cursors.values()))["pending"]["token"] = "expired"
        seen |= reader.ids(town.now)
    assert seen == wanted


def test_pitfall_3_a_since_id_that_is_too_old_is_reset_and_the_gap_recorded(town):
    town.posts(range(10))
    late = names(town.posts([9 * 24 * 60]))
    with town.x() as (_, source):
        reader = Reader(source)
        reader.read(town.at(20))
        page = reader.read(town.at(9 * 24 * 60 + 10))
        assert {p.id for p in page.posts} == late
        (gap,) = page.gaps
        assert (gap.source, gap.topic, gap.start) == ("x", "kopi", BEGIN + timedelta(minutes=19, seconds=30))
        assert MARGIN <= gap.end - (town.now - timedelta(days=7)) < MARGIN + timedelta(minutes=2)
        assert page.observed[0].start == gap.end
        again = reader.read(town.at(9 * 24 * 60 + 20))
    assert not again.gaps and again.observed[0].start == page.observed[0].end


def test_long_silence_is_not_a_gap(town):
    town.posts([0])
    with town.x() as (_, source):
        reader = Reader(source)
        for day in range(12):
            assert not reader.read(town.at(60 + day * 24 * 60)).gaps


@pytest.mark.parametrize(
    ("message", "lowest"),
    [
        (
            "'since_id' must be a tweet id created after 2026. Please use a 'since_id' that is larger than 12345678901",
            12345678901,
        ),
        ("something else 12345678901234", None),
        ("since_id without a number", None),
    ],
)
def test_the_lowest_id_is_read_from_the_message(message, lowest):
    assert lowest_allowed(message) == lowest


def test_the_lowest_time_is_read_from_the_message():
    lowest = lowest_allowed("Invalid 'start_time':'x'. 'start_time' must be on or after 2026-10-05T00:00Z.")
    assert lowest is not None and moment_of(str(lowest)) == BEGIN + timedelta(minutes=1)


def test_pitfall_4_what_is_indexed_late_is_read_by_the_overlap(town):
    town.posts(range(10))
    late = town.post(9.5, "kopi late", indexed_after=timedelta(minutes=2))
    town.posts([10])
    with town.x() as (_, source):
        reader = Reader(source)
        assert f"x:{late}" not in reader.ids(town.at(11))
        assert f"x:{late}" in reader.ids(town.at(12.5))


def test_pitfall_4_a_sweep_at_the_end_of_the_utc_day_reads_what_came_very_late(town):
    town.posts(range(0, 23 * 60, 30))
    late = town.post(19 * 60 + 15, "kopi very late", indexed_after=timedelta(hours=3))
    with town.x() as (_, source):
        reader = Reader(source)
        reader.read(town.at(20 * 60 + 5))
        assert f"x:{late}" not in reader.ids(town.at(22 * 60 + 30))
        assert f"x:{late}" in reader.ids(town.at(23 * 60 + 1))
        assert f"x:{late}" not in reader.ids(town.at(23 * 60 + 31))


def test_pitfall_6_reshares_do_not_come_from_search_but_from_the_post(town):
    root = town.post(0)
    town.reshare(3, root, "101")
    with town.x() as (_, source):
        page = Reader(source).read(town.at(10))
        assert not page.interactions and page.metrics[0].reshares == 1
        target = Target(f"x:{root}", root, BEGIN, "x:100", deep=True)
        found = [i for page in source.refresh([target], town.now) for i in page.interactions]
    assert [(i.kind, i.source_id, i.target_post_id, i.target_id, i.via_post_id) for i in found] == [
        ("reshare", "x:101", f"x:{root}", "x:100", "")
    ]
    assert found[0].time_low == found[0].time_high == BEGIN + timedelta(minutes=3)


def test_timelines_and_mentions_of_accounts(town):
    said = town.post(1, "without the word", author="101")
    about = town.post(2, "hello @u1", author="102")
    other = town.post(3, "hello @u2", author="103")
    town.reshare(4, other, "101")
    topic = Topic(slug="acme", keywords=("zzz",), accounts=("x:u4",), own_accounts=("x:@U1",))
    with town.x() as (_, source):
        reader = Reader(source, topic)
        page = reader.read(town.at(10))
        assert names([said, about]) <= {p.id for p in page.posts}
        assert ("reshare", "x:101", f"x:{other}") in {
            (i.kind, i.source_id, i.target_post_id) for i in page.interactions
        }
        assert reader.cursors["user:u1"]["id"] == "101"
        before = source.client.windows
        assert before is not None and not reader.read(town.at(11)).gaps


def test_an_account_that_does_not_exist_stops_nothing(town):
    wanted = names(town.posts([1]))
    topic = Topic(slug="acme", keywords=("kopi",), accounts=("x:nobody_here",))
    with town.x() as (_, source):
        reader = Reader(source, topic)
        assert reader.ids(town.at(10)) == wanted
        assert reader.cursors["user:nobody_here"]["id"] is None


def test_pitfall_24_a_post_of_two_topics_is_paid_once_and_stored_once(town, tmp_path):
    town.posts(range(5))
    other = Topic(slug="other", hashtags=("抹茶",))
    with town.x() as (_, source):
        pages = [p for topic in (TOPIC, other) for p in source.collect(topic, {}, town.at(10))]
        assert sum(p.spend.posts for p in pages if p.spend) == 5
        store = stored(tmp_path, source, town.now)
        for page in pages:
            save_page(store, page, [TOPIC, other], town.now)
    assert store.one("SELECT COUNT(*) FROM posts") == 5 and store.one("SELECT COUNT(*) FROM matches") == 10
    store.close()


def test_the_newer_spelling_of_the_fields(town):
    wanted = names(town.posts(range(3)))
    with town.x(fields_parameter="post.fields") as (sandbox, source):
        sandbox.x_api.spelling = "post"
        page = Reader(source).read(town.at(10))
    assert (
        {p.id for p in page.posts} == wanted and all(p.author_id for p in page.posts) and page.metrics[0].reshares == 0
    )


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=503), NetworkDown),
        (Fault("status", status=401), NotAuthorised),
        (Fault("status", status=403), NotAuthorised),
        (Fault("status", status=404), Refused),
        (Fault("disconnect"), NetworkDown),
        (Fault("cut"), NetworkDown),
        (Fault("malformed"), BadAnswer),
        (Fault("truncated"), BadAnswer),
        (Fault("wrong_json"), BadAnswer),
        (Fault("rate_limited"), RateLimited),
        (Fault("rate_limited_without_reset"), RateLimited),
        (Fault("usage_capped"), UsageCapped),
        (Fault("status", status=500, body="[]"), NetworkDown),
        (Fault("rate_limited", headers={"x-rate-limit-reset": "soon"}), RateLimited),
    ],
    ids=lambda value: getattr(value, "kind", None) or value.__name__,
)
def test_a_fault_is_a_named_error_and_the_next_round_is_whole(town, fault, error):
    wanted = names(town.posts(range(250)))
    fault.times, fault.after = 1, 1
    with town.x() as (sandbox, source):
        sandbox.faults.add(fault)
        reader, seen = Reader(source), set()
        with pytest.raises(error) as raised:
            for page in reader.pages(town.at(260)):
                seen |= {p.id for p in page.posts}
        assert len(seen) == 100
        assert sandbox.x_token not in str(raised.value)
        seen |= reader.ids(town.at(261 + 60 * 24))
    assert seen == wanted


def test_pitfall_15_a_rate_limit_is_told_not_slept_through(town):
    town.posts(range(5))
    with town.x() as (sandbox, source):
        fault = sandbox.faults.add(Fault("rate_limited", seconds=600, times=1))
        with pytest.raises(RateLimited) as raised:
            Reader(source).read(town.at(10))
        assert raised.value.until == town.now + timedelta(seconds=600)
        with pytest.raises(RateLimited):  # known by now: not even asked
            Reader(source).read(town.at(12))
        assert fault.seen == 1
        assert Reader(source).ids(town.at(21))


def test_pitfall_15_a_429_without_a_reset_waits_longer_each_time(town):
    town.posts(range(5))
    with town.x() as (sandbox, source):
        sandbox.faults.add(Fault("rate_limited_without_reset", times=3))
        waits = []
        for _ in range(3):
            with pytest.raises(RateLimited) as raised:
                Reader(source).read(town.now)
            waits.append(raised.value.until - town.now)
            town.now = raised.value.until
    assert waits == [timedelta(minutes=15), timedelta(minutes=30), timedelta(minutes=60)]


def test_pitfall_15_usage_capped_is_not_a_short_wait(town):
    town.posts(range(5))
    with town.x() as (sandbox, source):
        sandbox.faults.add(Fault("usage_capped"))
        with pytest.raises(UsageCapped) as raised:
            Reader(source).read(town.at(10))
    assert raised.value.until == BEGIN + timedelta(days=1)


@pytest.mark.parametrize("skew", [timedelta(hours=3), -timedelta(hours=3)])
def test_pitfall_15_a_skewed_clock_does_not_change_the_wait(town, skew):
    with town.x() as (sandbox, source):
        sandbox.faults.skew_clock(skew)
        sandbox.faults.add(Fault("rate_limited", seconds=600, times=1))
        with pytest.raises(RateLimited) as raised:
            Reader(source).read(town.at(10))
    assert abs(raised.value.until - (town.now + timedelta(seconds=600))) <= timedelta(seconds=1)


def test_the_last_request_of_a_window_stops_before_the_refusal(town):
    keys = town.posts(range(250))
    with town.x() as (sandbox, source):
        sandbox.x_api.limits[SEARCH] = 2
        refusals = sandbox.faults.add(Fault("rate_limited", after=2))
        reader = Reader(source)
        with pytest.raises(RateLimited):
            reader.read(town.at(260))
        assert refusals.seen == 2  # the third request was never made
        sandbox.faults.clear()
        assert names(keys[:50]) <= reader.ids(town.at(276))


def test_pitfall_16_no_answer_is_not_waited_for(town):
    with town.x(timeout=0.2) as (sandbox, source):
        sandbox.faults.add(Fault("hang", seconds=5))
        assert source.client.tweepy.session.get_adapter(HOST).timeout == 0.2
        with pytest.raises(NetworkDown, match="Timeout"):
            Reader(source).read(town.at(10))


def test_the_token_is_in_no_log_and_no_error(town, caplog):
    caplog.set_level(logging.DEBUG)
    town.posts(range(3))
    with town.x() as (sandbox, source):
        assert Reader(source).ids(town.at(10))
        sandbox.faults.add(Fault("status", status=401))
        with pytest.raises(NotAuthorised) as raised:
            Reader(source).read(town.at(11))
    assert sandbox.x_token not in caplog.text and "kopi 1" not in caplog.text
    assert sandbox.x_token not in repr(raised.value) and sandbox.x_token not in repr(source.settings)


def test_a_redirect_is_not_followed(town):
    with town.x() as (sandbox, source):
        sandbox.faults.add(Fault("status", status=302, headers={"location": "http://127.0.0.1:1/"}))
        with pytest.raises(NetworkDown, match="Redirect"):
            Reader(source).read(town.at(10))


def test_a_stop_ends_after_the_page_and_the_next_round_goes_on(town):
    wanted = names(town.posts(range(250)))
    with town.x() as (_, source):
        reader, stop, seen = Reader(source), Event(), set()
        for page in source.collect(TOPIC, {}, town.at(260), stop):
            seen |= {p.id for p in page.posts}
            reader.cursors[page.checkpoint.stream] = page.checkpoint.cursor
            assert not page.observed
            stop.set()
        assert len(seen) == 100
        seen |= reader.ids(town.at(261))
    assert seen == wanted


def test_a_budget_stops_collection_and_the_rest_is_read_on_the_next_days(town):
    wanted = names(town.posts(range(200)))
    with town.x(budget=1.0) as (_, source):
        reader, seen, stops = Reader(source), set(), 0
        for day in range(6):
            now = town.at(210 + day * 24 * 60)
            try:
                for page in reader.pages(now):
                    seen |= {p.id for p in page.posts}
            except BudgetSpent as spent:
                stops += 1
                assert spent.until == BEGIN + timedelta(days=day + 1)
            assert source.budget.left(now) >= 0
    assert seen == wanted and stops >= 1


def test_what_the_store_says_was_spent_counts(town):
    with town.x(budget=5.0, spent=lambda network, day: Spent(usd=4.9)) as (_, source), pytest.raises(BudgetSpent):
        Reader(source).read(town.at(10))


def test_check_forecasts_the_cost_and_names_the_remedy(town):
    town.posts(range(700))
    with town.x(budget=0.05) as (_, source):
        checks = source.check([TOPIC], town.at(710))
        assert [c.ok for c in checks] == [True, True]
        assert "709" in checks[0].told or "700" in checks[0].told
        assert "raise the budget" in checks[1].remedy
        source.client.tweepy.bearer_token = "wrong"
        (bad,) = source.check([TOPIC], town.now)
    assert (bad.ok, bad.exit_code) == (False, 77) and "bearer_token" in bad.remedy


def test_errors_carry_their_data_and_a_sentence():
    error = RateLimited("x", "it is used up.", BEGIN, "Wait.")
    assert str(error) == "x: it is used up. It goes on at 2026-10-05T00:00:00Z. Wait."
    assert (NotAuthorised.exit_code, NetworkDown.exit_code) == (77, 1) and issubclass(BudgetSpent, CollectorError)


def test_pitfall_3_the_oldest_moment_moves_on_while_we_ask(town):
    town.posts(range(10))
    town.posts([9 * 24 * 60])
    with town.x() as (_, source):
        reader = Reader(source)
        reader.read(town.at(20))
        now = town.at(9 * 24 * 60 + 10)
        ask = source.client.search

        def slowly(*arguments):
            town.now += timedelta(minutes=2)
            return ask(*arguments)

        source.client.search = slowly
        assert len(reader.read(now).gaps) == 1


def test_new_words_after_an_outage_are_read_back_to_where_the_old_ones_ended(town):
    before, missed = names(town.posts([10])), names([town.post(minute, "teh") for minute in (5 * 60, 40 * 60)])
    with town.x() as (_, source):
        reader = Reader(source)
        assert reader.ids(town.at(20)) == before
        reader.topic = Topic(slug="kopi", keywords=("teh",))  # changed while X could not be read for two days
        page = reader.read(town.at(48 * 60))
    assert {p.id for p in page.posts} == missed
    (observed,) = page.observed
    assert (observed.start, observed.end) == (BEGIN + timedelta(minutes=19.5), town.now - timedelta(seconds=30))
    assert not page.gaps


def test_new_words_after_more_than_a_week_leave_a_gap(town):
    town.posts([10])
    with town.x() as (_, source):
        reader = Reader(source)
        reader.read(town.at(20))
        reader.topic = Topic(slug="kopi", keywords=("teh",))
        page = reader.read(town.at(9 * 24 * 60))
    ((gap,), (observed,)) = page.gaps, page.observed
    assert (
        gap.start == BEGIN + timedelta(minutes=19.5)
        and gap.end == observed.start == town.now - timedelta(days=7) + MARGIN
    )


def test_what_was_read_before_a_gap_is_observed_up_to_it(town):
    town.posts([10])
    with town.x() as (_, source):
        reader = Reader(source)
        reader.read(town.at(20))
        cursor = dict(reader.cursors["observed:kopi"])
        reader.read(town.at(40))
        reader.cursors["observed:kopi"] = cursor  # ended between the last page and the word that all is read
        page = reader.read(town.at(9 * 24 * 60))
    (gap,) = page.gaps
    assert [(o.start, o.end) for o in page.observed] == [
        (BEGIN + timedelta(minutes=19.5), gap.start),
        (gap.end, town.now - timedelta(seconds=30)),
    ]
