"""Paging of the Mastodon API: max_id, since_id, min_id, Link headers; with Mastodon.py over HTTP and by property."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from mastodon import Mastodon

from sandbox.mastodon_index import Page, Status
from sandbox.network import Sandbox
from tests.sandbox.sandbox_tools import Builder, Clock, at, mastodon_client

POSTS = 55


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    build = Builder()
    build.person("1", "mastodon", handle="writer")
    for number in range(POSTS):
        build.post("1", f"{number} #珈琲", at(minutes=-POSTS + number))
    with Sandbox(build.world, Clock(), x=False) as running:
        yield running


def numbers_of(page: list) -> list[int]:
    return [int(status["content"].removeprefix("<p>").split(" ")[0]) for status in page]


def timeline(sandbox: Sandbox, **params: object) -> list:
    answer = requests.get(f"{sandbox.mastodon_url}/api/v1/timelines/tag/珈琲", params=params, timeout=5)
    page: list = answer.json()
    return page


def test_min_id_walks_forward_through_everything(sandbox: Sandbox) -> None:
    client: Mastodon = mastodon_client(sandbox.mastodon_url)
    page = client.timeline_hashtag("珈琲", limit=40, min_id="0")
    seen = []
    while page:
        numbers = numbers_of(page)
        assert numbers == sorted(numbers, reverse=True)
        seen += numbers[::-1]
        page = client.fetch_previous(page)
    assert seen == list(range(POSTS))


def test_min_id_gives_the_page_right_after_it(sandbox: Sandbox) -> None:
    anchor = timeline(sandbox, limit=40)[30]
    [number] = numbers_of([anchor])
    after = timeline(sandbox, limit=10, min_id=anchor["id"])
    assert numbers_of(after) == list(range(number + 10, number, -1))


def test_since_id_gives_the_newest_page_and_leaves_a_gap(sandbox: Sandbox) -> None:
    oldest = timeline(sandbox, limit=5, min_id="0")[-1]
    assert numbers_of([oldest]) == [0]
    page = timeline(sandbox, limit=40, since_id=oldest["id"])
    assert numbers_of(page) == list(range(POSTS - 1, POSTS - 41, -1))


def test_max_id_walks_back_through_everything(sandbox: Sandbox) -> None:
    seen: list[int] = []
    page = requests.get(f"{sandbox.mastodon_url}/api/v1/timelines/tag/珈琲?limit=40", timeout=5)
    while page.json():
        seen += numbers_of(page.json())
        page = requests.get(page.links["next"]["url"], timeout=5)
    assert seen == list(range(POSTS - 1, -1, -1))


def test_a_page_is_twenty_by_default_and_forty_at_most(sandbox: Sandbox) -> None:
    assert len(timeline(sandbox)) == 20
    assert len(timeline(sandbox, limit=100)) == 40
    assert len(timeline(sandbox, limit=0)) == 1


def test_link_header_is_percent_encoded_and_keeps_parameters(sandbox: Sandbox) -> None:
    address = f"{sandbox.mastodon_url}/api/v1/timelines/tag/珈琲"
    answer = requests.get(address, params={"limit": 5, "any[]": ["紅茶"], "max_id": "1" * 30}, timeout=5)
    link = answer.headers["link"]
    assert link.isascii()
    assert "/tag/%E7%8F%88%E7%90%B2?" in link
    assert "any%5B%5D=%E7%B4%85%E8%8C%B6" in link
    ids = [status["id"] for status in answer.json()]
    assert answer.links["next"]["url"].endswith(f"max_id={ids[-1]}")
    assert answer.links["prev"]["url"].endswith(f"min_id={ids[0]}")
    assert "max_id=" + "1" * 30 not in link


def test_empty_page_has_no_link(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.mastodon_url}/api/v1/timelines/tag/nothing", timeout=5)
    assert answer.json() == []
    assert "link" not in answer.headers


def test_account_statuses_end_after_a_page_that_is_not_full(sandbox: Sandbox) -> None:
    address = f"{sandbox.mastodon_url}/api/v1/accounts/1/statuses"
    full = requests.get(address, params={"limit": 40}, timeout=5)
    last = requests.get(full.links["next"]["url"], timeout=5)
    assert len(last.json()) == POSTS - 40
    assert "next" not in last.links


def test_a_backdated_status_slips_below_the_cursor() -> None:
    build, clock = Builder(), Clock()
    build.person("1", "mastodon", handle="near")
    build.person("2", "mastodon", handle="far", instance="far.sandbox")
    build.post("1", "on time #tea", at(minutes=-5))
    build.post("2", "late #tea", at(minutes=-60), federated_after=timedelta(minutes=90))
    with Sandbox(build.world, clock, x=False) as sandbox:
        client = mastodon_client(sandbox.mastodon_url)
        first = client.timeline_hashtag("tea", min_id="0")
        clock.step(hours=1)
        after = client.timeline_hashtag("tea", min_id=first[0].id)
        everything = client.timeline_hashtag("tea", min_id="0")
    assert [status.account.acct for status in first] == ["near"]
    assert after == []
    assert [status.account.acct for status in everything] == ["near", "far@far.sandbox"]


def test_boosters_are_paged_by_eighty() -> None:
    build = Builder()
    build.person("1", "mastodon", handle="writer")
    post = build.post("1", "viral", at(hours=-5))
    for number in range(100, 230):
        build.person(str(number), "mastodon")
        build.reshare(str(number), post, at(minutes=-number))
    with Sandbox(build.world, Clock(), x=False) as sandbox:
        address = f"{sandbox.mastodon_url}/api/v1/statuses/{post.id}/reblogged_by"
        assert len(requests.get(address, timeout=5).json()) == 40
        page = requests.get(address, params={"limit": 100}, timeout=5)
        people = [account["id"] for account in page.json()]
        assert len(people) == 80
        page = requests.get(page.links["next"]["url"], timeout=5)
        people += [account["id"] for account in page.json()]
    assert people == [str(number) for number in range(100, 230)]
    assert "next" not in page.links


KEYS = st.lists(st.integers(0, 60), unique=True, max_size=40).map(sorted)
CURSOR = st.none() | st.integers(0, 61)


@given(KEYS, st.integers(1, 10), CURSOR, CURSOR, CURSOR)
def test_pages_are_what_mastodon_says(
    keys: list[int], limit: int, max_id: int | None, since_id: int | None, min_id: int | None
) -> None:
    build = Builder()
    author = build.person("1", "mastodon")
    post = build.post("1", "x", at(hours=-1))
    statuses = [Status(str(key), key, post.created_at, post.created_at, post, author) for key in keys]
    page = Page(limit, max_id, since_id, min_id).of(statuses, lambda status: status.key % 7 != 0)
    inside = [
        key
        for key in keys
        if key % 7
        and (max_id is None or key < max_id)
        and (since_id is None or key > since_id)
        and (min_id is None or key > min_id)
    ]
    expected = inside[:limit][::-1] if min_id is not None else inside[::-1][:limit]
    assert [status.key for status in page] == expected
