"""Instances through Mastodon.py, from the sandbox: walking forward, re-scans, disabled feeds, duplicates, faults."""

from datetime import timedelta
from threading import Event

import pytest

from collector.base import Target
from collector.errors import BadAnswer, FeedDisabled, NetworkDown, NotAuthorised, RateLimited, Refused
from collector.mastodon.source import tags_of
from collector.mastodon.walk import Walk
from config import Topic
from sandbox.faults import Fault
from sandbox.network import MASTODON_TOKEN
from sandbox.world import Edit
from store.db import Store
from store.ingest import checkpoints, save_page
from store.records import Page, iso
from tests.collector.town import BEGIN, TOPIC, Reader, Town, stored


@pytest.fixture
def town():
    return Town("mastodon")


def uris(town, keys):
    people = town.world.people
    posts = [town.world.posts[key] for key in keys]
    return {f"https://{people[p.author].instance}/users/{people[p.author].handle}/statuses/{p.id}" for p in posts}


def uri(town, key):
    return uris(town, [key]).pop()


def test_a_first_visit_reads_one_day_back_and_says_what_it_observed(town):
    old = town.posts(range(-30 * 60, -29 * 60))
    wanted = town.posts(range(0, 250))
    with town.mastodon() as (_, (source,)):
        page = Reader(source).read(town.at(260))
    found = {p.id for p in page.posts}
    assert uris(town, wanted) <= found and len(found & uris(town, old)) <= 40
    assert [(o.topic, o.network, o.end) for o in page.observed] == [("kopi", "mastodon", town.now)]


def test_pitfall_5_more_than_a_page_of_new_posts_is_read_whole_and_no_more(town):
    first, then = town.posts(range(-60, 20)), town.posts(range(31, 131))
    with town.mastodon() as (_, (source,)):
        reader = Reader(source)
        reader.read(town.at(30))
        before = source.client.requests
        found = reader.ids(town.at(140) - timedelta(minutes=90))  # nothing yet
        town.at(140)
        found |= reader.ids(town.now)
        assert found >= uris(town, then)
        assert source.client.requests - before < 12
    assert first


def test_pitfall_2_a_death_midway_leaves_no_hole(town):
    first = uris(town, town.posts(range(100)))
    with town.mastodon() as (_, (source,)):
        reader, seen = Reader(source, Topic(slug="tag", hashtags=("抹茶",))), set()
        for page in reader.pages(town.at(100)):
            seen |= {p.id for p in page.posts}
            break
        assert "head" not in reader.cursors["tag:抹茶"]
        seen |= reader.ids(town.at(101))
        assert seen == first
        more = uris(town, town.posts(range(110, 220)))
        for page in reader.pages(town.at(230)):
            seen |= {p.id for p in page.posts}
            break
        assert "walk" in reader.cursors["tag:抹茶"]
        seen |= reader.ids(town.at(231)) | reader.ids(town.at(232))
    assert seen == first | more


def test_pitfall_4_a_backdated_status_is_found_by_the_rescan(town):
    town.person("200", "far", instance="other.sandbox")
    town.posts(range(60))
    late = town.post(30.5, author="200", federated_after=timedelta(minutes=90))
    with town.mastodon() as (_, (source,)):
        reader = Reader(source)
        reader.read(town.at(25))
        assert uri(town, late) not in reader.ids(town.at(70))
        assert uri(town, late) in reader.ids(town.at(135))


def test_pitfall_4_a_status_that_comes_hours_late_is_found_by_the_daily_sweep(town):
    town.person("200", "far", instance="other.sandbox")
    town.posts(range(0, 26 * 60, 30))
    late = town.post(120.5, author="200", federated_after=timedelta(hours=20))
    with town.mastodon() as (_, (source,)):
        reader, found = Reader(source), []
        for hour in range(1, 28):
            found += [hour for key in reader.ids(town.at(hour * 60 + 1)) if key == uri(town, late)]
    assert found and 23 <= found[0] <= 26


def test_pitfall_8_one_post_seen_from_two_instances_is_stored_once(town, tmp_path):
    town.posts(range(5))
    with town.mastodon(("mastodon.sandbox", "other.sandbox")) as (_, sources):
        store = Store.open(tmp_path / "two.sqlite")
        for source in sources:
            stored(tmp_path, source, town.at(10), store=store)
        assert store.one("SELECT COUNT(*) FROM posts") == 5 == store.one("SELECT COUNT(*) FROM matches")
        assert store.one("SELECT COUNT(*) FROM post_sources") == 10
        assert len(checkpoints(store, sources[0].name)) and len(checkpoints(store, sources[1].name))
        store.close()


def test_pitfall_11_a_pinned_post_moves_no_cursor(town):
    town.post(0, author="101", pinned=True)
    keys = town.posts(range(1, 5), author="101")
    topic = Topic(slug="acme", keywords=("zzz",), accounts=("u1@mastodon.sandbox",))
    with town.mastodon() as (_, (source,)):
        reader = Reader(source, topic)
        assert len(reader.ids(town.at(10))) == 5
    assert reader.cursors["account:u1@mastodon.sandbox"]["head"] == keys[-1]


def test_pitfall_11_not_even_where_a_server_shows_it_first():
    pages = [[{"id": "1", "pinned": True}, {"id": "9"}, {"id": "8"}], []]
    cursor = {"head": "7", "rescan": iso(BEGIN), "sweep": iso(BEGIN)}
    walk = Walk("a.example", "tag:a", lambda paging: pages.pop(0), lambda statuses: Page(), cursor, BEGIN)
    assert len(list(walk)) == 2 and walk.cursor["head"] == "9" and walk.complete


def test_pitfall_17_a_disabled_feed_is_not_silence(town):
    town.posts(range(3))
    nobody = {"local": "disabled", "remote": "disabled"}
    with (
        town.mastodon(access={"hashtag_feeds": nobody}) as (_, (source,)),
        pytest.raises(FeedDisabled, match="to nobody"),
    ):
        Reader(source).read(town.at(10))


def test_pitfall_17_an_empty_page_of_an_open_feed_is_observed_silence(town):
    with town.mastodon() as (_, (source,)):
        page = Reader(source).read(town.at(10))
    assert not page.posts and page.observed[0].end == town.now


def test_a_feed_for_members_needs_a_token(town):
    wanted = uris(town, town.posts(range(3)))
    members = {"hashtag_feeds": {"local": "authenticated", "remote": "authenticated"}}
    with town.mastodon(access=members) as (_, (source,)), pytest.raises(NotAuthorised, match="access_token"):
        Reader(source).read(town.at(10))
    with town.mastodon(access=members, access_token=MASTODON_TOKEN) as (_, (source,)):
        assert Reader(source).ids(town.at(10)) == wanted


def test_the_public_timeline_is_read_once_for_all_topics(town):
    wanted = uris(town, [town.post(1, "no tag"), town.post(2, "none")])
    topic = Topic(slug="acme", phrases=("no tag at all",))
    with town.mastodon(public_timeline=True) as (_, (source,)):
        reader = Reader(source, topic)
        page = reader.read(town.at(10))
        assert {p.id for p in page.posts} == wanted and page.observed
        assert not reader.read(town.now).posts


def test_boosts_come_from_account_timelines_with_their_time(town):
    root = town.post(1, author="102")
    town.reshare(5, root, "101")
    topic = Topic(slug="acme", keywords=("zzz",), own_accounts=("@u1@mastodon.sandbox",))
    with town.mastodon() as (_, (source,)):
        page = Reader(source, topic).read(town.at(10))
    ((edge),) = page.interactions
    assert (edge.kind, edge.source_id, edge.target_post_id) == ("reshare", "acct:u1@mastodon.sandbox", uri(town, root))
    assert edge.time_low == edge.time_high == BEGIN + timedelta(minutes=5)
    assert [p.reference for p in page.posts] == [True]


def test_an_account_that_the_instance_does_not_know_stops_nothing(town):
    wanted = uris(town, town.posts(range(3)))
    topic = Topic(slug="acme", hashtags=("抹茶",), accounts=("nobody@mastodon.sandbox",))
    with town.mastodon() as (_, (source,)):
        assert Reader(source, topic).ids(town.at(10)) == wanted


def test_replies_on_a_page_bring_what_they_answer(town):
    root = town.post(0, "no tag here", author="101")
    answer = town.post(1, author="102", reply_to=root)
    with town.mastodon() as (_, (source,)):
        page = Reader(source).read(town.at(10))
    by_id = {p.id: p for p in page.posts}
    assert by_id[uri(town, root)].reference and by_id[uri(town, answer)].reply_to_id == uri(town, root)
    assert [(i.kind, i.target_post_id, i.target_id) for i in page.interactions] == [
        ("reply", uri(town, root), "acct:u1@mastodon.sandbox")
    ]


def test_tags_are_the_topics_words_as_people_write_them():
    topic = Topic(
        slug="t", keywords=("抹茶", "Cold Brew", "c++"), phrases=("flat white",), hashtags=("#抹茶", "KOPI", "kopi")
    )
    assert tags_of(topic) == ["ColdBrew", "KOPI", "flatwhite", "抹茶"]


# ------------------------------------------------------------------ refresh


def target(town, key, **more):
    return Target(uri(town, key), key, town.world.posts[key].created_at, **more)


def test_counts_edits_and_removals(town, tmp_path):
    kept, edited, gone = town.posts(range(3))
    with town.mastodon() as (_, (source,)):
        store = stored(tmp_path, source, town.at(5))
        town.world.posts[edited].edits.append(Edit(BEGIN + timedelta(minutes=6), "kopi better #抹茶"))
        town.world.posts[gone].deleted_at = town.now
        town.reshare(7, kept, "101")
        town.changed()
        (page,) = source.refresh([target(town, key) for key in (kept, edited, gone)], town.at(10))
        save_page(store, page, [TOPIC], town.now)
    assert [(r.subject_id, r.reason) for r in page.removals] == [(uri(town, gone), "deleted")]
    assert len(page.refreshed) == 3
    texts = {row["id"]: row["text"] for row in store.query("SELECT id, text FROM posts")}
    assert texts[uri(town, edited)] == "kopi better #抹茶" and texts[uri(town, gone)] == ""
    counts = "SELECT reshares FROM metrics WHERE post_id = ? ORDER BY observed_at"
    assert [row[0] for row in store.query(counts, (uri(town, kept),))] == [0, 1]
    store.close()


@pytest.mark.parametrize("status", [401, 403, 410, 500, 503])
def test_pitfall_13_an_outage_removes_nothing(town, status):
    keys = town.posts(range(3))
    with town.mastodon() as (sandbox, (source,)):
        source.about(town.at(5))
        sandbox.faults.add(Fault("status", status=status))
        with pytest.raises((NetworkDown, NotAuthorised, Refused)):
            removals = [r for p in source.refresh([target(town, k) for k in keys], town.now) for r in p.removals]
            assert not removals


@pytest.mark.parametrize(("status", "removed"), [(404, True), (410, True), (401, False), (403, False), (422, False)])
def test_pitfall_13_a_single_status_is_removed_only_when_a_working_instance_says_so(town, status, removed):
    kept, missing = town.posts(range(2))
    with town.mastodon() as (sandbox, (source,)):
        town.world.posts[missing].deleted_at = town.at(5)
        town.changed()
        sandbox.faults.add(Fault("status", path=f"*/statuses/{missing}", status=status))
        (page,) = source.refresh([target(town, kept), target(town, missing)], town.now)
    assert [r.subject_id for r in page.removals] == ([uri(town, missing)] if removed else [])
    assert (uri(town, missing) in page.refreshed) == removed


def test_an_older_server_without_the_lookup_is_asked_one_by_one(town):
    keys = town.posts(range(3))
    with town.mastodon() as (sandbox, (source,)):
        sandbox.faults.add(Fault("status", path="/api/v1/statuses", status=404))
        (page,) = source.refresh([target(town, key) for key in keys], town.at(10))
    assert set(page.refreshed) == uris(town, keys) and not page.removals


def test_boosters_are_edges_between_two_looks(town):
    root = town.post(0)
    town.reshare(3, root, "101")
    with town.mastodon() as (_, (source,)):
        first = list(source.refresh([target(town, root, deep=True, author_id="acct:u0@mastodon.sandbox")], town.at(10)))
        town.reshare(15, root, "102")
        again = list(source.refresh([target(town, root, deep=True, deep_at=town.now)], town.at(20)))
    (edge,) = first[1].interactions
    assert (edge.source_id, edge.target_id) == ("acct:u1@mastodon.sandbox", "acct:u0@mastodon.sandbox")
    assert (edge.time_low, edge.time_high) == (BEGIN, BEGIN + timedelta(minutes=10))
    new = next(i for i in again[1].interactions if i.source_id == "acct:u2@mastodon.sandbox")
    assert (new.time_low, new.time_high) == (BEGIN + timedelta(minutes=10), BEGIN + timedelta(minutes=20))


def test_hundreds_of_boosters_are_read_page_by_page(town):
    root = town.post(0)
    for number in range(170):
        town.person(str(1000 + number), f"fan{number}")
        town.reshare(1, root, str(1000 + number))
    with town.mastodon() as (_, (source,)):
        pages = list(source.refresh([target(town, root, deep=True)], town.at(10)))
    assert len({i.source_id for page in pages for i in page.interactions}) == 170


def test_pitfall_20_late_replies_are_read_from_the_context(town):
    root = town.post(0)
    reply = town.post(1, "no tag", author="101", reply_to=root)
    deep = town.post(2, "none", author="102", reply_to=reply)
    with town.mastodon() as (_, (source,)):
        pages = list(source.refresh([target(town, root, deep=True, author_id="acct:u0@mastodon.sandbox")], town.at(10)))
    assert pages[0].refreshed == [] and pages[-1].refreshed == [uri(town, root)]
    edges = {(i.via_post_id, i.target_post_id, i.target_id) for page in pages for i in page.interactions}
    assert edges == {
        (uri(town, reply), uri(town, root), "acct:u0@mastodon.sandbox"),
        (uri(town, deep), uri(town, reply), "acct:u1@mastodon.sandbox"),
    }
    assert {p.conversation_id for p in pages[1].posts} == {uri(town, root)}


def test_pitfall_22_an_opt_out_is_seen_at_refresh_and_purges(town, tmp_path):
    root = town.post(0)
    with town.mastodon() as (_, (source,)):
        store = stored(tmp_path, source, town.at(5))
        assert store.one("SELECT COUNT(*) FROM posts WHERE text <> ''") == 1
        town.person("100", "u0", bio="leave me #nobot")
        town.changed()
        for page in source.refresh([target(town, root)], town.at(10)):
            save_page(store, page, [TOPIC], town.now)
        assert store.one("SELECT COUNT(*) FROM posts WHERE text <> ''") == 0
        assert store.one("SELECT COUNT(*) FROM accounts") == 0
        stored(tmp_path, source, town.at(200), store=store)
        assert store.one("SELECT COUNT(*) FROM posts WHERE text <> ''") == 0
        store.close()


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=503), NetworkDown),
        (Fault("status", status=401), NotAuthorised),
        (Fault("status", status=422), Refused),
        (Fault("disconnect"), NetworkDown),
        (Fault("cut"), NetworkDown),
        (Fault("malformed"), BadAnswer),
        (Fault("truncated"), BadAnswer),
        (Fault("wrong_json"), BadAnswer),
        (Fault("rate_limited"), RateLimited),
        (Fault("rate_limited_without_reset"), RateLimited),
        (Fault("rate_limited", headers={"X-RateLimit-Reset": "soon"}), RateLimited),
    ],
    ids=lambda value: getattr(value, "kind", None) or value.__name__,
)
def test_a_fault_is_a_named_error_and_the_next_round_is_whole(town, fault, error):
    wanted = uris(town, town.posts(range(100)))
    fault.times, fault.after, fault.path = 1, 2, "/api/v1/timelines/*"
    with town.mastodon(access_token=MASTODON_TOKEN) as (sandbox, (source,)):
        sandbox.faults.add(fault)
        reader, seen = Reader(source), set()
        with pytest.raises(error) as raised:
            for page in reader.pages(town.at(110)):
                seen |= {p.id for p in page.posts}
        assert len(seen) == 40 and MASTODON_TOKEN not in str(raised.value)
        seen |= reader.ids(town.at(180))
    assert seen == wanted


def test_pitfall_15_a_rate_limit_is_told_not_slept_through(town):
    town.posts(range(5))
    with town.mastodon() as (sandbox, (source,)):
        sandbox.faults.skew_clock(timedelta(hours=2))
        fault = sandbox.faults.add(Fault("rate_limited", seconds=120, times=1))
        for _ in range(2):
            with pytest.raises(RateLimited) as raised:
                Reader(source).read(town.at(10))
            assert abs(raised.value.until - (town.now + timedelta(seconds=120))) <= timedelta(seconds=1)
        assert fault.seen == 1
        assert Reader(source).ids(town.at(13))


def test_an_odd_reset_header_on_a_good_answer_harms_nothing(town):
    wanted = uris(town, town.posts(range(3)))
    with town.mastodon() as (_, (source,)):
        source.client.api.session.hooks["response"].insert(0, _odd_header)
        assert Reader(source).ids(town.at(10)) == wanted


def _odd_header(response, **options):
    response.headers["X-RateLimit-Reset"] = "in a while"


def test_a_stop_ends_after_the_page_and_the_next_round_goes_on(town):
    wanted = uris(town, town.posts(range(100)))
    topic = Topic(slug="tag", hashtags=("抹茶",))
    with town.mastodon() as (_, (source,)):
        reader, stop, seen = Reader(source, topic), Event(), set()
        for page in source.collect(topic, {}, town.at(110), stop):
            seen |= {p.id for p in page.posts}
            reader.cursors[page.checkpoint.stream] = page.checkpoint.cursor
            assert not page.observed
            stop.set()
        assert len(seen) == 40
        seen |= reader.ids(town.at(111))
    assert seen == wanted


def test_pitfall_16_no_answer_is_not_waited_for(town):
    with town.mastodon() as (sandbox, (source,)):
        sandbox.faults.add(Fault("hang", seconds=5))
        assert source.client.api.request_timeout == 20
        source.client.api.request_timeout = 0.2
        with pytest.raises(NetworkDown):
            Reader(source).read(town.at(10))


def test_the_user_agent_carries_the_contact(town):
    with town.mastodon() as (_, (source,)):
        assert source.client.api.user_agent == "resonance-monitor (+ops@example.com)"


def test_check_tells_what_works(town):
    town.posts(range(3))
    with town.mastodon() as (sandbox, (source,)):
        (good,) = source.check([TOPIC], town.at(10))
        assert good.ok and "4.5" in good.told and "without an account" in good.told
        sandbox.faults.add(Fault("status", status=503))
        (bad,) = source.check([TOPIC], town.now)
    assert (bad.ok, bad.exit_code) == (False, 1) and "in trouble" in bad.told
    with town.mastodon(access_token="wrong") as (_, (source,)):
        (bad,) = source.check([TOPIC], town.now)
    assert (bad.ok, bad.exit_code) == (False, 77) and "access_token" in bad.remedy


def test_new_words_after_an_outage_are_read_back_to_where_the_old_ones_ended(town):
    town.posts([10])
    missed = town.post(20 * 60, "#teh")
    with town.mastodon() as (_, (source,)):
        reader = Reader(source, Topic(slug="kopi", hashtags=("抹茶",)))
        reader.read(town.at(20))
        reader.topic = Topic(slug="kopi", hashtags=("teh",))
        page = reader.read(town.at(48 * 60))
    assert [post.native_id for post in page.posts] == [missed]
    assert page.observed[0].start == BEGIN + timedelta(minutes=20)
