"""Who is in the story: opt-outs that collectors must honour, loud accounts that move nobody, devoted communities."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import pytest

from sandbox.story import brand
from sandbox.story.everyday import open_account
from sandbox.story.stage import Stage
from tests.sandbox.story_told import told


@pytest.fixture(scope="module")
def stage() -> Stage:
    return told(7)


def test_some_opt_out_in_every_way(stage: Stage) -> None:
    people = stage.world.people.values()
    assert sum("#nobot" in person.bio for person in people) >= 10
    assert sum(person.noindex for person in people) >= 3
    assert sum(not person.discoverable for person in people) >= 2
    assert sum(person.protected for person in people) >= 8
    assert sum(person.bot for person in people) == 3


def test_opted_out_people_do_post(stage: Stage) -> None:
    """Otherwise nobody would notice a collector that does not honour them."""
    posts = stage.world.posts.values()
    shy = [post for post in posts if not open_account(stage.world.people[post.author])]
    assert len({post.author for post in shy}) >= 5
    assert len(shy) < 0.12 * len(posts)


def test_stars_and_roots_may_be_watched(stage: Stage) -> None:
    for slug in stage.cast.communities:
        assert all(open_account(person) for person in stage.cast.stars(slug))
    for event in stage.world.events:
        assert event.root is not None
        assert open_account(stage.author_of(stage.world.posts[event.root]))


def test_the_hero_is_small(stage: Stage) -> None:
    viral = next(event for event in stage.world.events if event.kind == "viral")
    assert viral.root is not None
    hero = stage.author_of(stage.world.posts[viral.root])
    assert hero.followers == 312
    assert hero.key in stage.world.people
    assert stage.world.people[hero.key] is hero


def reshares_per_post(stage: Stage, keys: set[str]) -> float:
    """Before the live days."""
    posts = {p.id for p in stage.world.posts.values() if p.author in keys and p.created_at < brand.LIVE_FROM}
    posts = {post for post in posts if not stage.world.posts[post].reply_to}
    return sum(one.of in posts for one in stage.world.reshares) / max(1, len(posts))


def test_followers_do_not_make_resonance(stage: Stage) -> None:
    loud = [*stage.cast.news, *stage.cast.giveaways]
    potters = stage.cast.stars("potter")
    assert min(person.followers for person in loud) > 20 * max(person.followers for person in potters)
    assert reshares_per_post(stage, {p.key for p in potters}) > 4 * reshares_per_post(stage, {p.key for p in loud})


def test_loud_accounts_do_post(stage: Stage) -> None:
    authors = Counter(post.author for post in stage.world.posts.values())
    assert sum(authors[person.key] > 0 for person in [*stage.cast.news, *stage.cast.giveaways]) >= 6
    assert sum(authors[person.key] for person in stage.cast.bots) >= 4


def test_official_accounts_post_on_both_networks(stage: Stage) -> None:
    authors = Counter(post.author for post in stage.world.posts.values())
    officials = (stage.cast.brand_ja, stage.cast.brand_en, stage.cast.brand_mastodon)
    for person, handle in zip(officials, (brand.HANDLE_JA, brand.HANDLE_EN, brand.HANDLE_MASTODON), strict=True):
        assert person is not None
        assert person.handle == handle
        assert authors[person.key] >= 3


def test_communities_talk_among_themselves(stage: Stage) -> None:
    """Most reshares of a community's ordinary posts stay in it."""
    home = stage.cast.home
    groups = {slug for slug, group in stage.cast.communities.items() if group.stars}
    inside = outside = 0
    for one in stage.world.reshares:
        post = stage.world.posts[one.of]
        slug = home.get(post.author)
        if slug in groups and post.created_at < brand.LIVE_FROM:
            inside += home.get(one.by) == slug
            outside += home.get(one.by) != slug
    assert inside > 1.2 * outside


def test_community_structure_can_be_found(stage: Stage) -> None:
    graph = nx.Graph()
    groups = {slug for slug, group in stage.cast.communities.items() if group.stars}
    for one in stage.world.reshares:
        author = stage.world.posts[one.of].author
        if stage.cast.home.get(author) in groups and stage.cast.home.get(one.by) in groups:
            weight = graph.get_edge_data(author, one.by, {}).get("weight", 0) + 1
            graph.add_edge(author, one.by, weight=weight)
    parts = [{n for n in graph if stage.cast.home[n] == slug} for slug in sorted(groups)]
    assert nx.community.modularity(graph, [part for part in parts if part]) > 0.4
