"""The three events and the earlier cascades: in order, of the right size, and different in kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from sandbox.story import brand
from sandbox.story.stage import Stage
from sandbox.world import Event, Reshare, World
from tests.sandbox.story_told import told

SEEDS = (2, 7)


@pytest.fixture(scope="module", params=SEEDS)
def stage(request: pytest.FixtureRequest) -> Stage:
    return told(request.param)


def event(world: World, kind: str) -> Event:
    return next(one for one in world.events if one.kind == kind)


def shares_of(world: World, root: str | None) -> list[Reshare]:
    return sorted((one for one in world.reshares if one.of == root), key=lambda one: one.at)


def test_one_of_each_in_order_in_the_live_days(stage: Stage) -> None:
    events = stage.world.events
    assert [one.kind for one in events] == ["false_start", "viral", "crisis"]
    assert [one.begins for one in events] == sorted(one.begins for one in events)
    assert all(brand.LIVE_FROM < one.begins < one.ends <= brand.ENDS for one in events)
    assert len({one.slug for one in events}) == 3
    assert all(one.title_en and one.title_ja for one in events)


def test_an_event_begins_with_its_first_post(stage: Stage) -> None:
    for one in stage.world.events:
        assert one.root is not None
        root = stage.world.posts[one.root]
        assert abs(root.created_at - one.begins) < timedelta(seconds=1)
        assert root.visibility == "public"


def test_viral_grows_over_hours(stage: Stage) -> None:
    viral = event(stage.world, "viral")
    shares = shares_of(stage.world, viral.root)
    assert 300 <= len(shares) <= 600
    half = shares[len(shares) // 2].at - viral.begins
    assert timedelta(minutes=45) < half < timedelta(hours=6)
    minutes = Counter(int((one.at - viral.begins) / timedelta(minutes=30)) for one in shares)
    assert max(minutes, key=lambda slot: minutes[slot]) >= 1, "it grows before it fades"


def test_viral_is_first_carried_by_its_community(stage: Stage) -> None:
    shares = shares_of(stage.world, event(stage.world, "viral").root)
    homes = [stage.cast.home.get(one.by) for one in shares]
    assert homes[:12].count("potter") >= 6
    assert len(set(homes)) >= 6, "and then it leaves it"


def test_viral_is_joyful(stage: Stage) -> None:
    root = event(stage.world, "viral").root
    moods = Counter(stage.moods[p.id] for p in stage.world.posts.values() if root in (p.reply_to, p.quote_of))
    assert moods["positive"] > 0.75 * sum(moods.values())
    assert moods["negative"] <= 0.05 * sum(moods.values())
    assert sum(moods.values()) > 40


def between(stage: Stage, low: datetime, high: datetime, keep: Callable[[str], bool] = bool) -> Counter[str]:
    posts = [p for p in stage.world.posts.values() if low <= p.created_at < high and keep(p.author)]
    return Counter(stage.moods[post.id] for post in posts)


def test_crisis_tips_the_mood(stage: Stage) -> None:
    begins = event(stage.world, "crisis").begins
    before = between(stage, begins - timedelta(days=1), begins)
    after = between(stage, begins + timedelta(hours=1), begins + timedelta(hours=7))
    assert after["negative"] / sum(after.values()) > 0.55
    assert before["negative"] / sum(before.values()) < 0.4
    assert sum(after.values()) > 4 * sum(before.values()) / 4


def test_crisis_starts_in_one_community_and_spreads(stage: Stage) -> None:
    begins = event(stage.world, "crisis").begins
    cast = stage.cast

    def first(slugs: set[str]) -> list[datetime]:
        posts = stage.world.posts.values()
        found = [p.created_at for p in posts if p.created_at >= begins and stage.moods[p.id] == "negative"
                 and cast.home.get(p.author) in slugs]  # fmt: skip
        return sorted(found)

    baristas, english = first({"barista", "fedi_ja"}), first({"matcha_en", "fedi_en", "crowd_en"})
    assert baristas[5] < begins + timedelta(hours=2)
    assert english[5] > begins + timedelta(hours=3)
    assert len(english) > 20
    assert len(first({"office", "crowd_ja"})) > 25


def test_crisis_rises_and_fades(stage: Stage) -> None:
    begins = event(stage.world, "crisis").begins
    hours = [sum(between(stage, begins + timedelta(hours=h), begins + timedelta(hours=h + 2)).values())
             for h in range(0, 22, 2)]  # fmt: skip
    peak = hours.index(max(hours))
    assert 1 <= peak <= 5
    assert hours[-1] < max(hours) / 2


def test_crisis_is_on_both_networks_and_answered_by_the_brand(stage: Stage) -> None:
    begins = event(stage.world, "crisis").begins
    late = [post for post in stage.world.posts.values() if post.created_at >= begins]
    negative = Counter(post.network for post in late if stage.moods[post.id] == "negative")
    assert min(negative["x"], negative["mastodon"]) >= 15
    officials = {one.key for one in (stage.cast.brand_ja, stage.cast.brand_en, stage.cast.brand_mastodon) if one}
    assert {post.author for post in late if post.author in officials and "recall" in post.text} == officials


def test_false_start_stays_small(stage: Stage) -> None:
    false = event(stage.world, "false_start")
    assert false.root is not None
    root = stage.world.posts[false.root]
    assert len(shares_of(stage.world, false.root)) <= 10
    low, high = false.begins, false.ends
    angry = [p for p in stage.world.posts.values() if low <= p.created_at < high and stage.moods[p.id] == "negative"]
    assert 5 <= len(angry) <= 14
    assert sum(post.author == root.author for post in angry) >= 2
    later = between(stage, high, high + timedelta(hours=3))
    assert later["negative"] <= 8


def test_calm_before_each_event(stage: Stage) -> None:
    for one in stage.world.events:
        before = between(stage, one.begins - timedelta(hours=2), one.begins)
        assert sum(before.values()) <= 24


def test_finished_cascades_before_the_live_days(stage: Stage) -> None:
    sizes = Counter(one.of for one in stage.world.reshares if one.at < brand.LIVE_FROM)
    big = [stage.world.posts[post] for post, size in sizes.most_common() if size >= 50]
    assert 2 <= len(big) <= 8
    middling = [post for post in big if stage.author_of(post) is not stage.cast.brand_ja]
    assert len(middling) >= 2
    for post in middling:
        shares = shares_of(stage.world, post.id)
        assert sum(one.at > brand.LIVE_FROM for one in shares) <= 0.05 * len(shares), "a straggler or two"


def test_giveaway_of_the_brand(stage: Stage) -> None:
    found = [post for post in stage.world.posts.values() if "フォロー&リポスト" in post.text]
    assert len(found) == 1
    assert found[0].created_at < brand.LIVE_FROM
    shares = shares_of(stage.world, found[0].id)
    assert len(shares) >= 100
    hunters = sum(stage.cast.home.get(one.by) == "hunters" for one in shares)
    assert hunters > 40
