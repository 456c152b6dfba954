"""The servers against the world itself: whatever happens in it, they show just that, at every moment."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html
from starlette.testclient import TestClient

from sandbox.index import NetworkIndex, text_at
from sandbox.mastodon_api import MastodonApi
from sandbox.mastodon_index import InstanceView
from sandbox.mastodon_text import escaped, marked_up, normalised_tag, tags_of
from sandbox.world import Edit, Post, World
from sandbox.x_api import XApi
from sandbox.x_index import XIndex
from sandbox.x_request import token_of
from sandbox.x_text import LIMIT, cut, short_url, weight
from tests.sandbox.sandbox_tools import START, Builder, Clock, at

SEEDS = range(6)
MOMENTS = [at(hours=hours) for hours in (-30, -10, 0, 10, 30)]
HEADERS = {"Authorization": "Bearer sandbox-x-token"}
WORDS = ["#tea", "#coffee", "milk", "珈琲", "#紅茶", "@user1", "https://example.org/x"]


def random_world(network: str, seed: int) -> World:
    """Some days of people who post, answer, edit, delete, like and reshare without sense."""
    rng, build = random.Random(seed), Builder()
    for key in range(1, 7):
        suspended = at(hours=rng.uniform(-20, 20)) if rng.random() < 0.2 else None
        host = rng.choice(["mastodon.sandbox", "far.sandbox"])
        build.person(str(key), network, instance=host, protected=rng.random() < 0.2, suspended_at=suspended)
    posts: list[Post] = []
    for _ in range(80):
        when = at(hours=rng.uniform(-48, 24))
        earlier = [post for post in posts if post.created_at < when]
        details: dict[str, object] = {"indexed_after": timedelta(minutes=rng.choice([0, 0, 1, 90]))}
        if earlier and rng.random() < 0.4:
            details["reply_to" if rng.random() < 0.6 else "quote_of"] = rng.choice(earlier).id
        if rng.random() < 0.2:
            details["deleted_at"] = when + timedelta(hours=rng.uniform(0, 20))
        if rng.random() < 0.2:
            details["edits"] = [Edit(when + timedelta(hours=rng.uniform(0, 9)), "edited " + rng.choice(WORDS))]
        text = " ".join(rng.sample(WORDS, 3))
        posts.append(build.post(str(rng.randint(1, 6)), text, when, **details))
    for post in posts:
        for key in rng.sample(range(1, 7), rng.randint(0, 4)):
            build.reshare(str(key), post, post.created_at + timedelta(hours=rng.uniform(0, 24)))
            build.like(str(key), post, post.created_at + timedelta(hours=rng.uniform(0, 24)))
    return build.world


def there(world: World, post: Post, now: datetime) -> bool:
    author = world.people[post.author]
    if author.suspended_at is not None and author.suspended_at <= now:
        return False
    deleted = post.deleted_at is not None and post.deleted_at <= now
    return post.created_at + post.indexed_after <= now and not deleted


def reshares(world: World, post: Post, now: datetime) -> set[str]:
    people = world.people
    return {
        one.by
        for one in world.reshares
        if one.of == post.id
        and one.at <= now
        and not ((gone := people[one.by].suspended_at) is not None and gone <= now)
    }


def x_pages(client: TestClient, path: str, **params: object) -> list[dict]:
    found: list[dict] = []
    while True:
        answer = client.get(path, params=params, headers=HEADERS).json()
        found += answer.get("data", [])
        assert answer["meta"]["result_count"] == len(answer.get("data", []))
        if "next_token" not in answer["meta"]:
            return found
        params["next_token"] = answer["meta"]["next_token"]


@pytest.mark.parametrize("seed", SEEDS)
def test_x_search_shows_just_what_is_there(seed: int) -> None:
    world, clock = random_world("x", seed), Clock()
    client = TestClient(XApi(world, clock, limits={"/2/tweets/search/recent": 10_000}).app)
    for clock.now in MOMENTS:
        found = x_pages(client, "/2/tweets/search/recent", query="#tea OR 珈琲", max_results=10)
        expected = {
            (post.author, text_at(post, clock.now), post.created_at)
            for post in world.posts.values()
            if there(world, post, clock.now)
            and not world.people[post.author].protected
            and any(word in text_at(post, clock.now) for word in ("#tea", "珈琲"))
            and max([post.created_at, *(edit.at for edit in post.edits if edit.at <= clock.now)])
            < clock.now - timedelta(seconds=30)
        }
        originals = [world.posts[post["edit_history_tweet_ids"][0]] for post in found]
        assert len(found) == len(expected)
        assert {(post.author, shown["text"].replace(short_url("https://example.org/x"), "https://example.org/x"),
                 post.created_at) for post, shown in zip(originals, found, strict=True)} == expected  # fmt: skip
        keys = [int(post["id"]) for post in found]
        assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_x_counts_are_what_happened(seed: int) -> None:
    world, clock = random_world("x", seed), Clock()
    client = TestClient(XApi(world, clock).app)
    posts = list(world.posts.values())
    for clock.now in MOMENTS:
        params = {"ids": ",".join(post.id for post in posts), "tweet.fields": "public_metrics"}
        answer = client.get("/2/tweets", params=params, headers=HEADERS).json()
        shown = {post["id"]: post["public_metrics"] for post in answer.get("data", [])}
        errors = {error["value"] for error in answer.get("errors", [])}
        assert len(shown) + len(errors) == len(posts)
        for post in posts:
            public = there(world, post, clock.now) and not world.people[post.author].protected
            assert (post.id in shown) == public
            if public:
                assert shown[post.id]["retweet_count"] == len(reshares(world, post, clock.now))
                answers = [one for one in posts if one.reply_to == post.id and there(world, one, clock.now)]
                assert shown[post.id]["reply_count"] == len(answers)
                likes = [one for one in world.likes if one.of == post.id and one.at <= clock.now]
                assert shown[post.id]["like_count"] == len(likes)


@pytest.mark.parametrize("seed", SEEDS)
def test_mastodon_tag_timeline_shows_just_what_is_there(seed: int) -> None:
    world, clock = random_world("mastodon", seed), Clock()
    for host in ("mastodon.sandbox", "far.sandbox"):
        client = TestClient(MastodonApi(world, clock, host, limit=10_000).app)
        for clock.now in MOMENTS:
            found, cursor = [], "0"
            while page := client.get("/api/v1/timelines/tag/TEA", params={"limit": 7, "min_id": cursor}).json():
                found += page[::-1]
                cursor = page[0]["id"]
            expected = {
                post.id
                for post in world.posts.values()
                if there(world, post, clock.now) and "#tea" in text_at(post, clock.now)
            }
            assert sorted(status["uri"].rsplit("/", 1)[-1] for status in found) == sorted(expected)
            keys = [int(status["id"]) for status in found]
            assert keys == sorted(set(keys))


@pytest.mark.parametrize("seed", SEEDS)
def test_mastodon_counts_agree_with_its_lists(seed: int) -> None:
    world, clock = random_world("mastodon", seed), Clock()
    client = TestClient(MastodonApi(world, clock, "mastodon.sandbox", limit=10_000).app)
    for clock.now in MOMENTS[2:4]:
        for status in client.get("/api/v1/timelines/public", params={"limit": 10}).json():
            post = world.posts[status["uri"].rsplit("/", 1)[-1]]
            boosters = client.get(f"/api/v1/statuses/{status['id']}/reblogged_by").json()
            assert len(boosters) == status["reblogs_count"]
            assert status["reblogs_count"] <= len(reshares(world, post, clock.now))
            if "@" not in status["account"]["acct"]:
                names = {account["username"] for account in boosters}
                assert names == {world.people[key].handle for key in reshares(world, post, clock.now)}
            likers = client.get(f"/api/v1/statuses/{status['id']}/favourited_by").json()
            assert len(likers) == status["favourites_count"]


@pytest.mark.parametrize("seed", SEEDS)
def test_remembered_counts_of_posts_equal_counting(seed: int) -> None:
    world = random_world("mastodon", seed)
    view = InstanceView(NetworkIndex(world, "mastodon"), "mastodon.sandbox")
    for now in MOMENTS:
        for person in world.people.values():
            own = [one for one in view.by_author[person.key] if one.reshare is None and view.exists(one, now)]
            boosts = [one for one in view.by_author[person.key] if one.reshare is not None and view.exists(one, now)]
            newest = view.newest(person, now)
            assert (newest is None) == (not own and not boosts)
            if person.suspended_at is None and all(one.suspended_at is None for one in world.people.values()):
                assert view.posted(person, now) == len(own) + len(boosts)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_version_of_an_x_post_has_its_own_time_and_id(seed: int) -> None:
    world = random_world("x", seed)
    index = XIndex(NetworkIndex(world, "x"))
    assert len(index.versions) == sum(1 + len(post.edits) for post in world.posts.values())
    for post in world.posts.values():
        entries = index.of_post[post.id]
        assert [entry.until for entry in entries] == [*(entry.at for entry in entries[1:]), None]
        for now in MOMENTS:
            shown = [entry for entry in entries if index.shows(entry, now)]
            assert len(shown) <= 1
            assert not shown or shown[0] is index.current(post, now)
            assert index.history(entries[0], now)[0] == post.id


PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=120)


@given(PLAIN)
def test_markup_never_loses_or_adds_text(text: str) -> None:
    content = marked_up(text, "mastodon.sandbox", True, lambda handle, host: None)
    stripped = text.strip("\n")
    shown = html.fromstring(f"<div>{content}</div>").text_content()
    assert shown == stripped


@given(PLAIN)
def test_escaped_text_has_no_markup(text: str) -> None:
    assert not set("<>\"'") & set(escaped(text))


@given(PLAIN)
def test_tags_are_normalised_once_and_for_all(text: str) -> None:
    tags = tags_of(text + " #Ｔｅａ")
    assert "tea" in tags
    assert all(normalised_tag(tag) == tag for tag in tags if tag.isascii())
    assert len(set(tags)) == len(tags)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1, max_size=600))
def test_a_cut_text_is_short_enough_and_begins_alike(text: str) -> None:
    short = cut(text, "https://x.com/i/web/status/1")
    if weight(text) <= LIMIT - 30:
        assert short == text
    if short != text:
        beginning = short.partition("… https://x.com")[0]
        assert text.startswith(beginning)


@given(st.integers(0, 1 << 63), st.integers(0, 1 << 63))
def test_paging_tokens_are_distinct(first: int, second: int) -> None:
    assert (token_of(first) == token_of(second)) == (first == second)
    assert token_of(first).isalnum()


@given(st.text(max_size=50).map(lambda tail: "https://example.org/" + tail))
def test_short_addresses_are_stable_and_look_alike(address: str) -> None:
    assert short_url(address) == short_url(address)
    assert len(short_url(address)) == 23


def test_the_far_past_and_future_break_nothing() -> None:
    world = random_world("x", 1)
    clock = Clock()
    client = TestClient(XApi(world, clock).app)
    for clock.now in (START - timedelta(days=4000), START + timedelta(days=4000)):
        answer = client.get("/2/tweets/search/recent", params={"query": "#tea"}, headers=HEADERS)
        assert answer.json() == {"meta": {"result_count": 0}}
