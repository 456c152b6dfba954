"""The Mastodon collector against mastodon-mock, a server that we did not write."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from mastodon import Mastodon
from mastodon_mock.pagination import link_header
from mastodon_mock.routers import helpers
from mastodon_mock.testing import mock_mastodon

from collector.base import Target
from collector.mastodon.source import MastodonSource
from config import MastodonInstance, Topic
from tests.collector.town import Reader

TOPIC = Topic(slug="tea", hashtags=("抹茶",))


@pytest.fixture
def server(monkeypatch):
    def quoted(base, page, extra_params=None):  # a Japanese hashtag in the Link header gives 500 in mastodon-mock 0.6.1
        return link_header(quote(base, safe=":/%"), page, extra_params)

    monkeypatch.setattr(helpers, "link_header", quoted)
    with mock_mastodon() as running:
        yield running


@pytest.fixture
def alice(server):
    return Mastodon(access_token="alice_token", api_base_url=server.base_url)


@pytest.fixture
def bob(server):
    return Mastodon(access_token="bob_token", api_base_url=server.base_url)


@pytest.fixture
def source(server):
    with MastodonSource(MastodonInstance(url=server.base_url, access_token="bob_token")) as made:
        yield made


def now():
    return datetime.now(UTC)


def test_more_posts_than_a_page_holds_are_read_in_both_directions(alice, source, monkeypatch):
    monkeypatch.setattr("collector.mastodon.client.PAGE", 10)
    first = [alice.status_post(f"お茶 {n} #抹茶").uri for n in range(12)]
    reader = Reader(source, TOPIC)
    assert reader.ids(now()) == set(first)
    more = [alice.status_post(f"新茶 {n} #抹茶").uri for n in range(12)]
    assert reader.ids(now()) >= set(more)


def test_a_post_of_the_mock_is_read_whole(alice, bob, source):
    root = alice.status_post("hello @bob #抹茶", spoiler_text="tea", language="ja")
    bob.status_post("@alice fine #抹茶", in_reply_to_id=root.id)
    page = Reader(source, TOPIC).read(now())
    posts = {p.id: p for p in page.posts}
    assert posts[root.uri].spoiler == "tea" and posts[root.uri].hashtags == ("抹茶",)
    assert posts[root.uri].author_id.startswith("acct:alice@")
    kinds = {(i.kind, i.target_post_id) for i in page.interactions}
    assert ("reply", root.uri) in kinds and page.observed


def test_private_posts_and_boosts(alice, bob, source):
    alice.status_post("secret #抹茶", visibility="private")
    public = alice.status_post("open #抹茶")
    bob.status_reblog(public.id)
    page = Reader(source, TOPIC).read(now())
    assert [p.id for p in page.posts] == [public.uri]
    target = Target(public.uri, str(public.id), public.created_at, deep=True)
    edges = [i for part in source.refresh([target], now()) for i in part.interactions]
    assert [(i.kind, i.target_post_id) for i in edges] == [("reshare", public.uri)]
    assert edges[0].source_id.startswith("acct:bob@") and edges[0].time_low <= edges[0].time_high


def test_edits_and_deletions_are_seen_at_refresh(alice, source):
    edited, gone = alice.status_post("bad #抹茶"), alice.status_post("gone #抹茶")
    alice.status_update(edited.id, "good #抹茶")
    alice.status_delete(gone.id)
    targets = [Target(s.uri, str(s.id), s.created_at) for s in (edited, gone)]
    (page,) = source.refresh(targets, now() + timedelta(minutes=1))
    assert [p.text for p in page.posts] == ["good #抹茶"] and page.posts[0].edited_at is not None
    assert [r.subject_id for r in page.removals] == [gone.uri]


def test_check_against_the_mock(source):
    (check,) = source.check([TOPIC], now())
    assert check.ok, check.told
