"""Recent search, read with tweepy over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import tweepy

from sandbox.network import Sandbox
from sandbox.world import Edit, World
from tests.sandbox.sandbox_tools import (
    ALL_FIELDS,
    FIXTURES,
    START,
    Builder,
    Clock,
    at,
    differences,
    raw_client,
    recorded,
    shape_of,
    x_client,
)

POSTS = 230


def crowd() -> World:
    build = Builder()
    for key in ("1", "2", "3"):
        build.person(key)
    build.person("9", protected=True)
    for minute in range(POSTS):
        build.post("1", f"cup {minute} of #coffee", at(minutes=-5 - minute))
    build.post("9", "#coffee behind closed doors", at(minutes=-3))
    root = next(iter(build.world.posts.values()))
    build.reshare("2", root, at(minutes=-2))
    build.post("2", "very new #coffee", at(seconds=-20))
    build.post("2", "slowly indexed #coffee", at(minutes=-4), indexed_after=timedelta(minutes=10))
    build.post("3", "deleted #coffee", at(minutes=-50), deleted_at=at(minutes=-1))
    return build.world


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(crowd(), Clock(), mastodon=()) as running:
        yield running


def test_default_page_has_the_recorded_shape(sandbox: Sandbox) -> None:
    page = raw_client(sandbox.x_url).search_recent_tweets("#coffee", max_results=20)
    assert differences(page, recorded("x_page")) == []
    assert set(page["data"][0]) == {"id", "text", "edit_history_tweet_ids"}


def test_full_page_has_the_documented_shape() -> None:
    documented = json.loads((FIXTURES / "x_search_page.json").read_text())
    shape: dict[str, str] = {}
    for path, kind in shape_of(documented):
        shape[path] = f"{shape[path]}|{kind}" if path in shape else kind
    build = Builder()
    build.person("1", handle="maker_a")
    build.person("2", handle="maker_b")
    root = build.post("1", "Morning #coffee", at(hours=-3))
    other = build.post("1", "Evening #coffee", at(hours=-2))
    text = "@maker_a agreed on #coffee https://example.org/a?b=1&c=2 " + "and so on " * 40
    full = build.post("2", text, at(hours=-1), reply_to=root.id, quote_of=other.id, withheld_in=("DE",))
    lost = build.post("1", "gone #coffee", at(hours=-4), deleted_at=at(hours=-2))
    build.post("2", "#coffee answer to what is gone @maker_a", at(minutes=-50), reply_to=lost.id)
    build.post("2", "#coffee once more", at(minutes=-40), reply_to=root.id)
    for minute in range(10):
        build.post("2", "filler #coffee", at(minutes=-20 + minute))
    with Sandbox(build.world, Clock(), mastodon=()) as sandbox:
        client = raw_client(sandbox.x_url)
        first = client.search_recent_tweets("#coffee", max_results=10, **ALL_FIELDS)
        token = first["meta"]["next_token"]
        page = client.search_recent_tweets("#coffee", max_results=10, next_token=token, **ALL_FIELDS)
    assert [line for line in differences(page, shape) if not line.endswith("missing")] == []
    whole = next(post for post in page["data"] if post["id"] == full.id)
    expected = documented["data"][0]
    assert set(whole) == set(expected)
    assert set(whole["entities"]) == set(expected["entities"])
    assert list(whole["public_metrics"]) == list(expected["public_metrics"])
    assert set(page["includes"]["users"][0]) == set(documented["includes"]["users"][0])
    assert page["errors"][0].keys() == documented["errors"][0].keys()
    assert first["meta"].keys() == documented["meta"].keys()


def test_paginator_gets_every_post_once_newest_first(sandbox: Sandbox) -> None:
    client = x_client(sandbox.x_url)
    pages = list(tweepy.Paginator(client.search_recent_tweets, "#coffee -is:retweet", max_results=100))
    ids = [post.id for page in pages for post in page.data]
    assert len(ids) == POSTS
    assert ids == sorted(set(ids), reverse=True)
    assert pages[0].meta["newest_id"] == str(ids[0])
    assert [page.meta["result_count"] for page in pages] == [100, 100, 30]


def test_neither_reposts_nor_protected_nor_deleted_nor_unindexed_posts(sandbox: Sandbox) -> None:
    page = x_client(sandbox.x_url).search_recent_tweets("#coffee", max_results=100)
    texts = [post.text for post in page.data]
    assert texts[0] == "cup 0 of #coffee"
    assert all(re.fullmatch(r"cup \d+ of #coffee", text) for text in texts)


def test_since_id_gives_only_what_is_newer(sandbox: Sandbox) -> None:
    client = x_client(sandbox.x_url)
    ids = [post.id for post in client.search_recent_tweets("#coffee", max_results=10).data]
    page = client.search_recent_tweets("#coffee", max_results=10, since_id=ids[4])
    assert [post.id for post in page.data] == ids[:4]
    before = client.search_recent_tweets("#coffee", max_results=10, until_id=ids[4])
    assert before.data[0].id == ids[5]


def test_start_and_end_time_bound_the_page(sandbox: Sandbox) -> None:
    client = x_client(sandbox.x_url)
    page = client.search_recent_tweets("#coffee", start_time=at(minutes=-12), end_time=at(minutes=-8))
    assert [post.text for post in page.data] == [f"cup {number} of #coffee" for number in (4, 5, 6, 7)]


def test_since_id_too_old_names_the_lowest_id_allowed(sandbox: Sandbox) -> None:
    client = x_client(sandbox.x_url)
    with pytest.raises(tweepy.BadRequest) as refused:
        client.search_recent_tweets("#coffee", since_id=1000000000000000000)
    message = refused.value.api_messages[0]
    lowest = re.search(r"larger than (\d+)", message)
    assert lowest, message
    assert client.search_recent_tweets("#coffee", since_id=lowest.group(1)).data


def test_empty_page_has_no_data(sandbox: Sandbox) -> None:
    assert raw_client(sandbox.x_url).search_recent_tweets("nothing") == {"meta": {"result_count": 0}}
    assert x_client(sandbox.x_url).search_recent_tweets("nothing").data is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_results": 5}, "is not between 10 and 100"),
        ({"max_results": 101}, "is not between 10 and 100"),
        ({"next_token": "rubbish"}, "is not valid"),
        ({"start_time": START - timedelta(days=8)}, "must be on or after"),
        ({"end_time": START}, "minimum of 10 seconds prior"),
        ({"tweet_fields": "colour"}, "is not one of"),
        ({"expansions": "author"}, "is not one of"),
        ({"since_id": "abc"}, "is not valid"),
    ],
)
def test_bad_parameters_are_refused_with_a_reason(sandbox: Sandbox, options: dict[str, object], message: str) -> None:
    with pytest.raises(tweepy.BadRequest, match=message) as refused:
        x_client(sandbox.x_url).search_recent_tweets("#coffee", **options)
    assert refused.value.api_errors[0]["parameters"].keys()


@pytest.mark.parametrize("query", ["lang:ja", "(#coffee", "color:blue", "-#tea", "x" * 513, "#coffee OR"])
def test_bad_queries_are_refused(sandbox: Sandbox, query: str) -> None:
    with pytest.raises(tweepy.BadRequest):
        x_client(sandbox.x_url).search_recent_tweets(query)


def test_posts_appear_as_the_clock_passes() -> None:
    build, clock = Builder(), Clock()
    build.person("1")
    build.post("1", "#tea now", at(seconds=-10))
    build.post("1", "#tea late in the index", at(seconds=-40), indexed_after=timedelta(minutes=2))
    build.post("1", "#tea tomorrow", at(days=1))
    with Sandbox(build.world, clock, mastodon=()) as sandbox:
        client = x_client(sandbox.x_url)
        seen = []
        for _ in range(3):
            seen.append([post.text for post in client.search_recent_tweets("#tea").data or []])
            clock.step(seconds=60)
        clock.step(days=1)
        seen.append([post.text for post in client.search_recent_tweets("#tea").data])
    assert seen[0] == []
    assert seen[1] == ["#tea now"]
    assert seen[2] == ["#tea now", "#tea late in the index"]
    assert seen[3] == ["#tea tomorrow", "#tea now", "#tea late in the index"]


def test_an_edit_is_a_new_id_and_replaces_the_old_version() -> None:
    build, clock = Builder(), Clock()
    build.person("1")
    post = build.post("1", "#tea is bad", at(minutes=-10), edits=[Edit(at(minutes=5), "#tea is good")])
    with Sandbox(build.world, clock, mastodon=()) as sandbox:
        client = x_client(sandbox.x_url)
        before = client.search_recent_tweets("#tea").data
        clock.step(minutes=10)
        after = client.search_recent_tweets("#tea", since_id=post.id).data
        old = client.get_tweet(post.id, tweet_fields="created_at").data
    assert [(str(one.id), one.text) for one in before] == [(post.id, "#tea is bad")]
    assert [one.text for one in after] == ["#tea is good"]
    assert after[0].id != int(post.id)
    assert [str(one) for one in after[0].edit_history_tweet_ids] == [post.id, str(after[0].id)]
    assert old.text == "#tea is bad"
    assert old.edit_history_tweet_ids == after[0].edit_history_tweet_ids


def test_counts_add_up(sandbox: Sandbox) -> None:
    answer = x_client(sandbox.x_url).get_recent_tweets_count("#coffee", granularity="hour")
    assert answer.meta["total_tweet_count"] == POSTS
    assert sum(bucket["tweet_count"] for bucket in answer.data) == POSTS
    assert all(earlier["end"] == later["start"] for earlier, later in zip(answer.data, answer.data[1:], strict=False))


def test_conversation_and_search_by_author() -> None:
    build = Builder()
    build.person("1", handle="Alice")
    build.person("2", handle="bob")
    root = build.post("1", "root", at(hours=-2))
    reply = build.post("2", "reply", at(hours=-1), reply_to=root.id)
    deeper = build.post("1", "deeper", at(minutes=-30), reply_to=reply.id)
    with Sandbox(build.world, Clock(), mastodon=()) as sandbox:
        client = x_client(sandbox.x_url)
        thread = client.search_recent_tweets(f"conversation_id:{root.id} is:reply", tweet_fields="conversation_id").data
        by_bob = client.search_recent_tweets("from:BOB to:alice").data
    assert [str(post.id) for post in thread] == [deeper.id, reply.id]
    assert {str(post.conversation_id) for post in thread} == {root.id}
    assert [str(post.id) for post in by_bob] == [reply.id]
