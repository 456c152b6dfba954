"""The archives of the first eleven days: as twarc and Mastodon write them, complete, and nothing from the future."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.story import Archives, brand, write_archives
from sandbox.world import World
from tests.sandbox.story_told import told

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def world() -> World:
    return told(7).world


@pytest.fixture(scope="module")
def archives(world: World, tmp_path_factory: pytest.TempPathFactory) -> Archives:
    return write_archives(world, tmp_path_factory.mktemp("story") / "made" / "here")


@pytest.fixture(scope="module")
def pages(archives: Archives) -> Rows:
    with gzip.open(archives.x, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def statuses(archives: Archives) -> Rows:
    return [json.loads(line) for line in archives.mastodon.read_text(encoding="utf-8").splitlines()]


def tweets(pages: Rows) -> Rows:
    return [tweet for page in pages for tweet in page["data"]]


def test_pages_are_like_twarcs(pages: Rows) -> None:
    assert len(pages) > 5
    for page in pages:
        assert {"data", "includes", "meta", "__twarc"} <= set(page)
        assert page["meta"]["result_count"] == len(page["data"]) <= 100
        assert page["meta"]["newest_id"] == page["data"][0]["id"]
        assert page["meta"]["oldest_id"] == page["data"][-1]["id"]
    assert ["next_token" in page["meta"] for page in pages] == [True] * (len(pages) - 1) + [False]


def test_newest_first_and_once(pages: Rows) -> None:
    ids = [int(tweet["id"]) for tweet in tweets(pages)]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == len(set(ids))


def test_counts_are_those_reported(archives: Archives, pages: Rows, statuses: Rows) -> None:
    kinds = Counter(
        any(one["type"] == "retweeted" for one in tweet.get("referenced_tweets", [])) for tweet in tweets(pages)
    )
    assert (kinds[False], kinds[True]) == (archives.x_posts, archives.x_reshares)
    boosts = sum(status["reblog"] is not None for status in statuses)
    assert (len(statuses) - boosts, boosts) == (archives.mastodon_posts, archives.mastodon_reshares)
    assert min(archives.x_posts, archives.x_reshares) > 300
    assert min(archives.mastodon_posts, archives.mastodon_reshares) > 60


def test_nothing_from_the_future(pages: Rows, statuses: Rows) -> None:
    times = [tweet["created_at"] for tweet in tweets(pages)] + [status["created_at"] for status in statuses]
    assert all(datetime.fromisoformat(time) < brand.LIVE_FROM for time in times)
    assert min(times) < "2026-10-05T06"
    assert max(times) > "2026-10-15T18"


def test_includes_bring_authors_and_originals(world: World, pages: Rows) -> None:
    for page in pages:
        users = {user["id"] for user in page["includes"]["users"]}
        assert {tweet["author_id"] for tweet in page["data"]} <= users
        included = {tweet["id"] for tweet in page["includes"].get("tweets", [])}
        missing = {error["resource_id"] for error in page.get("errors", [])}
        for tweet in page["data"]:
            for reference in tweet.get("referenced_tweets", []):
                assert reference["id"] in included | missing


def test_reshare_edges_are_complete(world: World, pages: Rows) -> None:
    """Every reshare before the live days of a post in the archive is in it, protected accounts apart."""
    found = {
        (tweet["author_id"], one["id"])
        for tweet in tweets(pages) for one in tweet.get("referenced_tweets", []) if one["type"] == "retweeted"
    }  # fmt: skip
    ids = {tweet["id"] for tweet in tweets(pages)}
    expected = {
        (one.by, one.of) for one in world.reshares
        if one.at < brand.LIVE_FROM and one.of in ids and not world.people[one.by].protected
    }  # fmt: skip
    assert found == expected


def test_metrics_are_as_of_the_end(world: World, pages: Rows) -> None:
    shared = Counter(one.of for one in world.reshares if one.at <= brand.LIVE_FROM)
    liked = Counter(one.of for one in world.likes if one.at <= brand.LIVE_FROM)
    plain = [t for t in tweets(pages) if not t["text"].startswith("RT @")]
    for tweet in plain:
        assert tweet["public_metrics"]["retweet_count"] == shared[tweet["id"]]
        assert tweet["public_metrics"]["like_count"] == liked[tweet["id"]]
    assert max(tweet["public_metrics"]["retweet_count"] for tweet in plain) >= 90


def test_long_posts_keep_their_whole_text(pages: Rows) -> None:
    long = [tweet for tweet in tweets(pages) if "note_tweet" in tweet]
    assert len(long) >= 2
    assert all(len(tweet["note_tweet"]["text"]) > len(tweet["text"]) for tweet in long)


def test_no_protected_and_no_private_posts(world: World, pages: Rows, statuses: Rows) -> None:
    assert not any(world.people[tweet["author_id"]].protected for tweet in tweets(pages))
    assert {status["visibility"] for status in statuses} == {"public"}


def test_opted_out_people_are_in_it(pages: Rows, statuses: Rows) -> None:
    """The importer has to leave them out, as with anybody's archive."""
    bios = [user.get("description", "") for page in pages for user in page["includes"]["users"]]
    assert any("#nobot" in bio for bio in bios)
    accounts = [status["account"] for status in statuses]
    assert any(account.get("noindex") or account["discoverable"] is False for account in accounts)


def test_no_off_topic_posts(pages: Rows, statuses: Rows) -> None:
    whole = " ".join(tweet["text"] for tweet in tweets(pages)) + " ".join(status["content"] for status in statuses)
    assert "レンズ沼" not in whole
    assert "heron" not in whole


def test_mastodon_lines(world: World, statuses: Rows) -> None:
    hosts = Counter(status["uri"].split("/")[2] for status in statuses)
    assert set(hosts) == set(brand.INSTANCES)
    uris = [status["uri"] for status in statuses]
    assert len(uris) == len(set(uris))
    assert all(status["content"].startswith("<p>") for status in statuses if status["reblog"] is None)
    assert any(status["spoiler_text"] for status in statuses)
    assert any(status["emojis"] for status in statuses)


def test_boosts_wrap_a_status_of_the_archive(statuses: Rows) -> None:
    own = {status["uri"] for status in statuses if status["reblog"] is None}
    wrapped = {status["reblog"]["uri"] for status in statuses if status["reblog"] is not None}
    assert len(wrapped & own) / len(wrapped) > 0.95


def test_writing_again_gives_the_same_bytes(world: World, archives: Archives, tmp_path: Path) -> None:
    again = write_archives(world, tmp_path)
    assert again.x.read_bytes() == archives.x.read_bytes()
    assert again.mastodon.read_bytes() == archives.mastodon.read_bytes()


def test_an_earlier_moment_gives_less(world: World, archives: Archives, tmp_path: Path) -> None:
    half = write_archives(world, tmp_path, datetime.fromisoformat("2026-10-09T00:00:00+00:00"))
    assert 0 < half.x_posts < archives.x_posts
    assert 0 < half.mastodon_posts < archives.mastodon_posts
