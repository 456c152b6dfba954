"""Topics: a changed query is a new version, matched again, and nothing that looks like a rise comes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analysis.sentiment.result import Sentiment
from config import Settings, Topic
from resonance.pipeline.detectors.trend import trend_signals
from resonance.pipeline.hours import update_hours
from resonance.pipeline.score import key_of, score_posts
from store import Store, topics
from store.ingest import save_page
from store.records import Account, Interaction, Observed, Page, iso
from store.topics import narrower, rematch, sync_topics
from tests.store.conftest import NOW, post

MATCHA = Topic(slug="t", keywords=("抹茶",))
DAYS = 12


class Plain:
    """Scores everything alike: these tests are about counts."""

    name, version = "plain", "1"

    def score(self, texts, languages):
        return [Sentiment("neutral", 0.1, 0.8, 0.1, False, "ja", None) for _ in texts]


def version(store: Store) -> int:
    return store.one("SELECT version FROM topics WHERE slug = 't'")


def matches(store: Store) -> set[str]:
    return {r[0] for r in store.query("SELECT post_id FROM matches WHERE topic = 't'")}


def test_a_new_topic_finds_what_is_stored_and_the_same_again_does_nothing(store: Store) -> None:
    assert sync_topics(store, [MATCHA], NOW) == []
    latte = Topic(slug="latte", keywords=("ラテ",))
    save_page(store, Page(posts=[post(1)]), [MATCHA], NOW)
    assert sync_topics(store, [MATCHA, latte], NOW) == ["latte"]
    assert store.one("SELECT COUNT(*) FROM matches") == 2
    assert sync_topics(store, [MATCHA, latte], NOW) == []
    assert store.one("SELECT MIN(version) || MAX(version) FROM topics") == "11"


def test_a_changed_query_is_a_new_version(store: Store) -> None:
    sync_topics(store, [MATCHA], NOW)
    pages = [post(1), post(2, "ほうじ茶がいい"), post(3, "抹茶の懸賞")]
    save_page(store, Page(posts=pages), [MATCHA], NOW, imported=True)
    later = NOW + timedelta(hours=1)
    changed = Topic(slug="t", keywords=("抹茶", "ほうじ茶"), exclude=("懸賞",))
    assert sync_topics(store, [changed], later) == ["t"]
    assert (version(store), matches(store)) == (2, {"x:1", "x:2"})
    assert store.one("SELECT changed_at FROM topics") == iso(later)


def test_a_topic_that_left_comes_back_with_what_it_missed(store: Store) -> None:
    other = Topic(slug="o", keywords=("ラテ",))
    sync_topics(store, [MATCHA, other], NOW)
    sync_topics(store, [other], NOW)
    assert store.one("SELECT active FROM topics WHERE slug = 't'") == 0
    save_page(store, Page(posts=[post(1)]), [other], NOW)
    assert sync_topics(store, [MATCHA, other], NOW) == ["t"]
    assert (matches(store), version(store)) == ({"x:1"}, 1)


def test_killed_in_the_middle_it_is_matched_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sync_topics(store, [MATCHA], NOW)
    page = Page(posts=[post(i, f"ほうじ茶 {i}") for i in range(30)])
    save_page(store, page, [MATCHA], NOW, imported=True)
    changed = Topic(slug="t", keywords=("ほうじ茶",))
    monkeypatch.setattr(topics, "CHUNK", 10)

    class Killed(Exception):
        pass

    def kill(done: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        sync_topics(store, [changed], NOW, kill)
    assert 0 < len(matches(store)) < 30
    assert sync_topics(store, [changed], NOW) == ["t"]
    assert (len(matches(store)), version(store)) == (30, 2)


def test_who_is_addressed_is_known_again_without_the_network(store: Store) -> None:
    """A Mastodon text says `@kopi`, without the host; on X a name may stand right behind Japanese text."""
    watched = Topic(slug="t", accounts=("kopi@m.example", "x:kopi_jp"))
    sync_topics(store, [watched], NOW)
    toot = post(1, "@kopi 開いてますか", id="https://m.example/1", network="mastodon", author_id="acct:a@m.example",
                mentions=("kopi@m.example",))  # fmt: skip
    tweet = post(2, "おはよう@kopi_jp", mentions=("x:kopi_jp",))
    edge = Interaction("mention", "acct:a@m.example", None, "acct:kopi@m.example", toot.id, NOW, NOW)
    save_page(
        store, Page(posts=[toot, tweet], interactions=[edge], accounts=[Account("x:9", "x", "a")]), [watched], NOW
    )
    before = matches(store)
    assert before == {toot.id, tweet.id}
    rematch(store, watched, NOW)
    assert matches(store) == before


NARROWER = [
    ({"keywords": ["a", "b"]}, {"keywords": ["a"]}, True),
    ({"keywords": ["a"]}, {"keywords": ["a"], "exclude": ["z"]}, True),
    ({}, {"languages": ["ja"]}, True),
    ({"languages": ["ja", "en"]}, {"languages": ["ja"]}, True),
    ({"languages": ["ja"]}, {}, False),
    ({"languages": ["ja"]}, {"languages": ["en"]}, False),
    ({"exclude": ["z"]}, {}, False),
    ({"keywords": ["a"]}, {"keywords": ["a", "b"]}, False),
    ({"hashtags": ["a"]}, {"hashtags": ["b"]}, False),
    ({}, {"own_accounts": ["x:a"]}, False),
]


@pytest.mark.parametrize(("before", "after", "expected"), NARROWER)
def test_whether_a_query_only_finds_less(before: dict, after: dict, expected: bool) -> None:
    names = ("keywords", "phrases", "hashtags", "accounts", "exclude", "languages", "own_accounts", "sources")
    full = [{name: query.get(name, []) for name in names} for query in (before, after)]
    assert narrower(*full) is expected


@pytest.fixture
def quiet_weeks(store: Store) -> Store:
    """Twelve days of four posts an hour about 抹茶, read without a hole, and as many of ほうじ茶 from an archive."""
    sync_topics(store, [MATCHA], NOW - timedelta(days=DAYS))
    hours = DAYS * 24
    for name, kept in (("抹茶", False), ("ほうじ茶", True)):
        found = [
            post(f"{name}{n}", f"{name} {n % 7}", id=f"x:{name}{n}", created_at=NOW - timedelta(minutes=15 * n + 1),
                 author_id=f"x:{n % 50}")
            for n in range(4 * hours)
        ]  # fmt: skip
        # what matched nothing when it was collected was not kept: of ほうじ茶 there are only the last two hours
        save_page(store, Page(posts=found[:60] if kept else found), [MATCHA], NOW, imported=kept)
    read = Observed("t", "x", NOW - timedelta(days=DAYS), NOW)
    save_page(store, Page(observed=[read]), [MATCHA], NOW)
    return store


def told(store: Store, topic: Topic, now=NOW) -> list[str]:
    score_posts(store, Plain(), now)
    update_hours(store, Settings(topics=(topic,)), key_of(Plain()), lambda *_: None, now)
    return [s.rule for s in trend_signals(store, topic, now) if s.active]


def test_a_word_that_is_new_in_the_query_is_no_rise(quiet_weeks: Store) -> None:
    store = quiet_weeks
    with store.write() as connection:  # the last two hours bring eight times as many of the other word
        connection.execute(
            "UPDATE posts SET created_at = ? WHERE text LIKE 'ほうじ茶%'", (iso(NOW - timedelta(minutes=20)),)
        )
    assert told(store, MATCHA) == []
    changed = Topic(slug="t", keywords=("抹茶", "ほうじ茶"))
    sync_topics(store, [changed], NOW)
    assert told(store, changed) == []
    assert store.one("SELECT COUNT(*) FROM observations") == 0
    assert store.one("SELECT MAX(coverage) FROM v_topic_hourly") == 0
    save_page(store, Page(observed=[Observed("t", "x", NOW, NOW + timedelta(minutes=30))]), [changed], NOW)
    assert told(store, changed, NOW + timedelta(minutes=30)) == []


def test_the_same_posts_under_the_same_query_are_a_rise(quiet_weeks: Store) -> None:
    """The counterpart: so that the test above cannot pass by never telling anything."""
    burst = [post(f"b{n}", "抹茶 大変", id=f"x:b{n}", created_at=NOW - timedelta(minutes=20)) for n in range(60)]
    save_page(quiet_weeks, Page(posts=burst), [MATCHA], NOW)
    assert told(quiet_weeks, MATCHA) == ["volume_spike"]


def test_a_narrower_query_keeps_its_baseline(quiet_weeks: Store) -> None:
    sync_topics(quiet_weeks, [Topic(slug="t", keywords=("抹茶",), exclude=("懸賞",))], NOW)
    assert quiet_weeks.one("SELECT COUNT(*) FROM observations") == 1


@pytest.mark.parametrize("hours", [1, 30])
def test_an_added_network_is_no_rise(quiet_weeks: Store, hours: int) -> None:
    now = NOW + timedelta(hours=hours)
    toots = [
        post(n, f"抹茶 {n}", id=f"https://m.example/{n}", network="mastodon", source="m.example",
             created_at=now - timedelta(minutes=n % 50 + 1))
        for n in range(120)
    ]  # fmt: skip
    more = [post(f"c{n}", "抹茶", id=f"x:c{n}", created_at=NOW + timedelta(minutes=15 * n)) for n in range(4 * hours)]
    seen = [Observed("t", "mastodon", now - timedelta(hours=1), now), Observed("t", "x", NOW, now)]
    save_page(quiet_weeks, Page(posts=[*toots, *more], observed=seen), [MATCHA], now)
    assert told(quiet_weeks, MATCHA, now) == []
    row = quiet_weeks.query("SELECT coverage, complete FROM topic_hours ORDER BY hour_utc LIMIT 1 OFFSET 5")[0]
    assert tuple(row) == (1.0, 1)  # the hours before it came are as they were


def test_a_gap_is_neither_a_fall_nor_its_end_a_rise(quiet_weeks: Store) -> None:
    back = NOW + timedelta(hours=9)
    assert told(quiet_weeks, MATCHA, NOW + timedelta(hours=8)) == []
    late = [post(f"l{n}", "抹茶", id=f"x:l{n}", created_at=NOW + timedelta(hours=8, minutes=15 * n)) for n in range(4)]
    page = Page(posts=late, observed=[Observed("t", "x", NOW + timedelta(hours=8), back)])
    save_page(quiet_weeks, page, [MATCHA], back)
    assert told(quiet_weeks, MATCHA, back) == []
