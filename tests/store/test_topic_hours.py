"""The maintained sums: late posts, removals, corrections, coverage, and the columns that analysts were promised."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from analysis.sentiment.result import Sentiment
from config import Settings, Topic
from resonance.pipeline.hours import update_hours
from resonance.pipeline.score import current_model, is_waiting, key_of, score_posts
from store import Store
from store.ingest import observe, save_page
from store.records import Account, Interaction, Observed, Page, Removal, from_iso, iso
from store.topic_hours import HOUR, coverage, networks_now, read_bins
from store.topics import sync_topics
from tests.store.conftest import NOW, post

TOPIC = Topic(slug="t", keywords=("抹茶",), own_accounts=("x:brand",), timezone="Asia/Kolkata")
SETTINGS = Settings(topics=(TOPIC,))
START = NOW - timedelta(hours=3)
PROMISED = (
    "topic", "hour_utc", "hour_local", "posts", "authors", "reshares", "negative", "neutral", "positive",
    "negative_share", "negative_low", "negative_high", "coverage", "complete",
)  # fmt: skip


class Words:
    """Labels by a word in the text."""

    name = "words"

    def __init__(self, version: str = "1") -> None:
        self.version, self.seen = version, 0

    def score(self, texts, languages):
        self.seen += len(texts)
        found = []
        for text in texts:
            label = "negative" if "最悪" in text else "positive" if "最高" in text else "neutral"
            p = [0.8 if name == label else 0.1 for name in ("negative", "neutral", "positive")]
            found.append(Sentiment(label, *p, "?" in text, "ja", None))
        return found


def bring(store: Store, page: Page, now: datetime = NOW, model: Words | None = None) -> None:
    save_page(store, page, [TOPIC], now)
    update(store, now, model)


def update(store: Store, now: datetime = NOW, model: Words | None = None) -> int:
    model = model or Words()
    score_posts(store, model, now)
    share = lambda n, u, p: (n / (n + u + p), 0.0, 1.0) if n + u + p else None  # noqa: E731
    return update_hours(store, SETTINGS, key_of(model), share, now)


def hour(store: Store, at: datetime = START):
    rows = store.query("SELECT * FROM v_topic_hourly WHERE hour_utc = ?", (iso(at),))
    return rows[0] if rows else None


def at(minutes: float, number: int, text: str = "抹茶", **more):
    return post(number, text, created_at=START + timedelta(minutes=minutes), author_id=f"x:{number % 3}", **more)


@pytest.fixture
def read(store: Store) -> Store:
    sync_topics(store, [TOPIC], START)
    bring(store, Page(observed=[Observed("t", "x", START, NOW)]))
    return store


def test_the_views_have_the_promised_columns(store: Store) -> None:
    def columns(view: str) -> list[str]:
        return [d[0] for d in store.connection.execute(f"SELECT * FROM {view}").description]

    hourly = columns("v_topic_hourly")
    assert [c for c in hourly if c in PROMISED] == list(PROMISED)
    views = {r[0] for r in store.query("SELECT name FROM sqlite_master WHERE type = 'view'")}
    promised = "topic_hourly topic_daily resonance_latest cascades_active incidents_open rule_precision review_queue"
    assert {f"v_{name}" for name in promised.split()} <= views


def test_a_late_post_corrects_its_hour_and_no_other(read: Store) -> None:
    bring(read, Page(posts=[at(5, 1, "抹茶最高"), at(65, 2)]))
    stamps = {r[0]: r[1] for r in read.query("SELECT hour_utc, updated_at FROM topic_hours")}
    later = NOW + timedelta(minutes=10)
    bring(read, Page(posts=[at(50, 3, "抹茶最悪"), at(51, 4, "抹茶最悪?")]), later)
    row = hour(read)
    assert (row["posts"], row["negative"], row["positive"], row["uncertain"]) == (3, 2, 1, 1)
    assert row["negative_share"] == pytest.approx(2 / 3)
    moved = {r[0] for r in read.query("SELECT hour_utc, updated_at FROM topic_hours") if r[1] != stamps.get(r[0])}
    assert iso(START) in moved and iso(START + HOUR) not in moved


def test_an_hour_is_complete_when_it_is_over_read_and_scored(read: Store) -> None:
    assert (hour(read)["coverage"], hour(read)["complete"]) == (1.0, 1)
    save_page(read, Page(posts=[at(5, 1)]), [TOPIC], NOW)
    update_hours(read, SETTINGS, key_of(Words()), lambda *_: None, NOW)
    assert hour(read)["complete"] == 0  # not scored yet
    update(read)
    assert hour(read)["complete"] == 1
    assert hour(read)["hour_local"] == "2026-10-16T14:30:00+05:30"


def test_the_hour_that_runs_is_not_complete(read: Store) -> None:
    bring(read, Page(observed=[Observed("t", "x", NOW, NOW + timedelta(minutes=30))]), NOW + timedelta(minutes=30))
    row = hour(read, NOW)
    assert (row["coverage"], row["complete"]) == (0.5, 0)


def test_a_removal_keeps_the_counts(read: Store) -> None:
    bring(read, Page(posts=[at(5, 1, "抹茶最悪"), at(6, 2)], accounts=[Account("x:1", "x", "a")]))
    before = tuple(hour(read))
    for removal in (Removal("x:2", "post", "deleted"), Removal("x:1", "account", "nobot")):
        bring(read, Page(removals=[removal]), NOW + timedelta(minutes=1))
    with read.write() as connection:  # a later edit of a neighbour computes the hour anew
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('post', 'x:2')")
    update(read)
    row = hour(read)
    assert (row["posts"], row["negative"], row["neutral"], row["complete"]) == (2, 1, 1, 1)
    assert len(before) == len(row)
    assert read.one("SELECT SUM(posts) FROM topic_bins") == 2


def test_removed_before_it_was_scored_it_does_not_hold_up_its_hour(read: Store) -> None:
    save_page(read, Page(posts=[at(5, 1)]), [TOPIC], NOW)
    bring(read, Page(removals=[Removal("x:1", "post", "deleted")]))
    assert (hour(read)["posts"], hour(read)["complete"]) == (1, 1)


def test_a_correction_overrules_in_every_view(read: Store) -> None:
    bring(read, Page(posts=[at(5, 1, "抹茶最悪?")]))
    assert read.one("SELECT COUNT(*) FROM v_review_queue") == 1
    with read.write() as connection:
        connection.execute(
            "INSERT INTO corrections (post_id, label, by, at) VALUES ('x:1', 'positive', 'h', ?)", (iso(NOW),)
        )
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('correction', 'x:1')")
    update(read)
    row = hour(read)
    assert (row["negative"], row["positive"], row["uncertain"]) == (0, 1, 0)
    assert tuple(read.query("SELECT label, corrected FROM v_posts")[0]) == ("positive", 1)
    assert read.query("SELECT negative, positive FROM v_topic_daily WHERE posts > 0")[0][:] == (0, 1)
    assert read.one("SELECT COUNT(*) FROM v_review_queue") == 0
    assert read.query("SELECT negative, positive FROM topic_bins")[0][:] == (0, 1)


def test_own_posts_stand_apart(read: Store) -> None:
    mine = at(5, 1, "抹茶はじめました最高")
    bring(read, Page(posts=[mine, at(6, 2)], accounts=[Account("x:1", "x", "Brand")]))
    row = hour(read)
    assert (row["posts"], row["own_posts"], row["positive"], row["authors"]) == (1, 1, 0, 1)


def test_what_is_read_afterwards_covers_old_hours_too(store: Store) -> None:
    """An outage of days that is made good: hours without a new post get their coverage as well."""
    sync_topics(store, [TOPIC], START)
    bring(store, Page(posts=[at(5, 1)], observed=[Observed("t", "x", START, START + timedelta(minutes=30))]))
    assert hour(store)["coverage"] == 0.5
    days = NOW + timedelta(days=4)
    update(store, days)
    bring(store, Page(observed=[Observed("t", "x", START + timedelta(minutes=30), days)]), days)
    assert (hour(store)["coverage"], hour(store)["complete"]) == (1.0, 1)
    assert update(store, days) <= 1  # and then there is nothing more to write but the hour that runs


def test_a_changed_zone_writes_the_local_hours_anew(read: Store) -> None:
    bring(read, Page(posts=[at(5, 1)]))
    moved = Topic(**{**TOPIC.model_dump(), "timezone": "Asia/Tokyo"})
    assert sync_topics(read, [moved], NOW) == []
    update_hours(read, Settings(topics=(moved,)), key_of(Words()), lambda *_: None, NOW)
    assert hour(read)["hour_local"].endswith("+09:00")


def test_reshares_count_in_the_hour_in_which_they_were_seen(read: Store) -> None:
    bring(read, Page(posts=[at(5, 1)]))
    when = START + timedelta(minutes=70)
    edges = [Interaction("reshare", f"x:{n}", "x:1", None, "", when, when) for n in range(4)]
    bring(read, Page(interactions=edges))
    assert hour(read)["reshares"] == 0 and hour(read, START + HOUR)["reshares"] == 4


def test_a_new_model_scores_and_counts_all_anew(read: Store) -> None:
    bring(read, Page(posts=[at(5, 1, "抹茶最悪"), at(6, 2, "抹茶最悪")]))
    assert not is_waiting(read) and current_model(read) == key_of(Words())
    second = Words("2")
    assert score_posts(read, second, NOW) == 2 and second.seen == 1  # the same text is scored once
    update(read, NOW, second)
    assert current_model(read) == key_of(second) and hour(read)["negative"] == 2


def test_bins_are_a_whole_grid_with_what_was_read(store: Store) -> None:
    sync_topics(store, [TOPIC], START)
    seen = [Observed("t", "x", START, START + timedelta(minutes=40)), Observed("t", "mastodon", START, NOW)]
    bring(store, Page(posts=[at(1, 1), at(16, 2, "抹茶最悪"), at(29, 3)], observed=seen))
    end = START + timedelta(minutes=67)
    bins = read_bins(store, "t", START + timedelta(minutes=3), end, ["x"])
    assert [t.minute for t in bins.times] == [0, 15, 30, 45]
    assert (bins.posts, bins.negative) == ([1, 2, 0, 0], [0, 1, 0, 0])
    assert bins.coverage == pytest.approx([1, 1, 2 / 3, 0])
    assert read_bins(store, "t", START, end, ["mastodon"]).coverage == [1.0] * 4
    assert read_bins(store, "t", START, end, ["mastodon", "x"]).coverage == pytest.approx([1, 1, 2 / 3, 0])
    assert networks_now(store, "t", NOW) == ["mastodon", "x"]
    assert networks_now(store, "t", NOW + timedelta(hours=23)) == ["mastodon"]


def test_coverage_is_the_mean_of_the_networks_known_by_then(store: Store) -> None:
    for network, begin in (("x", START), ("mastodon", START + HOUR)):
        observe(store.connection, Observed("t", network, begin, START + 2 * HOUR))
    found = [coverage(store.connection, "t", START + i * HOUR, START + (i + 1) * HOUR) for i in range(-1, 3)]
    assert found == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_and_in_any_pieces_the_sums_are_the_same(tmp_path, seed: int) -> None:
    """Maintained piece by piece, the tables equal those computed once from everything."""
    chance = random.Random(seed)
    posts = [at(chance.uniform(0, 170), n, chance.choice(("抹茶最悪", "抹茶最高", "抹茶?"))) for n in range(60)]
    edges = [
        Interaction("reshare", f"x:{n}", f"x:{n % 60}", None, "", p.created_at, p.created_at)
        for n, p in enumerate(posts)
    ]
    columns = "hour_utc, posts, authors, reshares, negative, neutral, positive, uncertain, coverage, complete"
    found = []
    for pieces in (1, 7):
        store = Store.open(tmp_path / f"{pieces}.sqlite")
        sync_topics(store, [TOPIC], START)
        chance.shuffle(posts)
        for piece in range(pieces):
            bring(store, Page(posts=posts[piece::pieces]))
        for piece in range(pieces):
            bring(store, Page(interactions=edges[piece::pieces]))
        bring(store, Page(observed=[Observed("t", "x", START, NOW)]))
        found.append([tuple(r) for r in store.query(f"SELECT {columns} FROM topic_hours ORDER BY 1")])
        bins = store.query("SELECT bin_utc, posts, scored, negative FROM topic_bins ORDER BY 1")
        found[-1].append(tuple(map(tuple, bins)))
        assert all(from_iso(r["bin_utc"]).minute % 15 == 0 for r in bins)
        store.close()
    assert found[0] == found[1] and sum(r[1] for r in found[0][:-1]) == 60
