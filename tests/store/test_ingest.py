"""Writing pages: whole, idempotent, one row per post, nothing that must not come back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import Topic
from store import Store
from store.ingest import Saved, checkpoints, save_page
from store.records import (
    Account,
    Checkpoint,
    Interaction,
    Metrics,
    Observed,
    Page,
    Removal,
    Spend,
)
from tests.store.conftest import NOW, post

TOPIC = Topic(slug="matcha", keywords=("抹茶",), hashtags=("matcha",), own_accounts=("x:brand",), exclude=("懸賞",))


def account(key: str = "x:9", handle: str = "tanaka", **more: object) -> Account:
    return Account(key, "x", handle, **more)  # type: ignore[arg-type]


def counts(store: Store, *tables: str) -> list[int]:
    return [store.one(f"SELECT COUNT(*) FROM {table}") for table in tables]


def full_page() -> Page:
    return Page(
        posts=[post(1), post(2, "ただのコーヒー"), post(3, "懸賞 抹茶")],
        accounts=[account()],
        interactions=[Interaction("reshare", "x:5", "x:1", "x:9", time_low=NOW, time_high=NOW)],
        metrics=[Metrics("x:1", NOW, "x", likes=3), Metrics("x:2", NOW, "x", likes=1)],
        observed=[Observed("matcha", "x", NOW - timedelta(hours=1), NOW)],
        spend=Spend("x", requests=1, posts=3, usd=0.015),
        checkpoint=Checkpoint("x", "search:matcha", {"since_id": "3"}),
    )


def test_only_what_matches_is_kept_and_the_checkpoint_comes_with_it(store: Store) -> None:
    saved = save_page(store, full_page(), [TOPIC], NOW)
    assert (saved.new_posts, saved.skipped, saved.matched) == (1, 2, 1)
    assert counts(store, "posts", "matches", "metrics", "interactions") == [1, 1, 1, 1]
    assert checkpoints(store, "x") == {"search:matcha": {"since_id": "3"}}
    assert store.one("SELECT usd FROM spend") == 0.015


def test_the_same_page_again_changes_nothing_but_the_bill(store: Store) -> None:
    save_page(store, full_page(), [TOPIC], NOW)
    before = store.one("SELECT COUNT(*) FROM changes WHERE kind <> 'observed'")
    again = save_page(store, full_page(), [TOPIC], NOW + timedelta(minutes=5))
    assert (again.new_posts, again.matched, again.interactions, again.edited) == (0, 0, 0, 0)
    assert counts(store, "posts", "matches", "interactions", "observations") == [1, 1, 1, 1]
    assert store.one("SELECT COUNT(*) FROM changes WHERE kind <> 'observed'") == before


def test_a_failure_midway_leaves_neither_data_nor_checkpoint(store: Store) -> None:
    page = full_page()
    page.metrics.append(Metrics("x:1", None, "x"))  # type: ignore[arg-type]  # breaks after posts are written
    with pytest.raises(AttributeError):
        save_page(store, page, [TOPIC], NOW)
    assert counts(store, "posts", "accounts", "checkpoints", "changes", "post_search") == [0, 0, 0, 0, 0]


def test_archives_are_kept_whole(store: Store) -> None:
    saved = save_page(store, full_page(), [TOPIC], NOW, imported=True)
    assert (saved.new_posts, saved.matched) == (3, 1)


def test_an_edit_is_the_same_post_with_a_new_text(store: Store) -> None:
    save_page(store, Page(posts=[post(1)]), [TOPIC], NOW)
    edited = post(1, "抹茶ラテ、実は苦手", native_id="11", edited_at=NOW)
    saved = save_page(store, Page(posts=[edited]), [TOPIC], NOW)
    assert saved.edited == 1
    assert [r["text"] for r in store.query("SELECT text FROM posts")] == ["抹茶ラテ、実は苦手"]
    assert [r["native_id"] for r in store.query("SELECT native_id FROM post_sources ORDER BY 1")] == ["1", "11"]
    assert save_page(store, Page(posts=[post(1)]), [TOPIC], NOW).edited == 0  # the older version, seen late
    assert store.one("SELECT COUNT(*) FROM post_search WHERE post_search MATCH '\"苦手\"'") == 1


def test_a_reaction_to_a_later_version_is_one_to_the_post(store: Store) -> None:
    save_page(store, Page(posts=[post(1), post(1, "抹茶ラテ、改", native_id="11", edited_at=NOW)]), [TOPIC], NOW)
    quote = post(5, "これ", quote_of_id="x:11")
    edge = Interaction("reshare", "x:5", "x:11", None, time_low=NOW, time_high=NOW)
    save_page(store, Page(posts=[quote], interactions=[edge]), [TOPIC], NOW)
    assert store.one("SELECT target_post_id FROM interactions") == "x:1"
    assert store.one("SELECT quote_of_id FROM posts WHERE id = 'x:5'") == "x:1"


def test_one_post_seen_from_three_instances_is_one(store: Store) -> None:
    for host in ("a.example", "b.example", "c.example"):
        seen = post(1, id="https://a.example/1", network="mastodon", source=host, native_id=f"{host}-1")
        save_page(store, Page(posts=[seen], metrics=[Metrics(seen.id, NOW, host, reshares=2)]), [TOPIC], NOW)
    assert counts(store, "posts", "matches", "post_sources", "metrics") == [1, 1, 3, 3]
    assert store.one("SELECT reshares FROM v_posts") == 2


def test_two_topics_share_one_post(store: Store) -> None:
    latte = Topic(slug="latte", keywords=("ラテ",))
    saved = save_page(store, Page(posts=[post(1)], metrics=[Metrics("x:1", NOW, "x")]), [TOPIC, latte], NOW)
    assert saved.matched == 2
    assert counts(store, "posts", "metrics", "matches") == [1, 1, 2]


def test_a_delete_before_its_create_holds(store: Store) -> None:
    save_page(store, Page(removals=[Removal("x:1", "post", "deleted")]), [TOPIC], NOW)
    save_page(store, Page(posts=[post(1)]), [TOPIC], NOW)
    assert counts(store, "posts") == [0]


def test_a_removal_purges_text_search_and_evidence_and_keeps_the_count(store: Store) -> None:
    save_page(store, full_page(), [TOPIC], NOW)
    with store.write() as connection:
        connection.execute("INSERT INTO evidence VALUES ('incident', '1', 'x:1', 1.0)")
    saved = save_page(store, Page(removals=[Removal("x:1", "post", "deleted")]), [TOPIC], NOW)
    assert saved.removed == 1
    row = store.query("SELECT text, removed_reason FROM posts WHERE id = 'x:1'")[0]
    assert tuple(row) == ("", "deleted")
    assert counts(store, "post_search", "evidence", "matches") == [0, 0, 1]
    assert save_page(store, full_page(), [TOPIC], NOW).new_posts == 0
    assert store.one("SELECT text FROM posts WHERE id = 'x:1'") == ""


def test_an_opt_out_seen_later_purges_what_was_stored(store: Store) -> None:
    save_page(store, full_page(), [TOPIC], NOW)
    save_page(store, Page(accounts=[account(opted_out="nobot")]), [TOPIC], NOW)
    assert counts(store, "accounts", "matches", "interactions") == [0, 1, 0]  # that it matched is a count, and stays
    assert store.one("SELECT text || COALESCE(author_id, '') FROM posts") == ""
    save_page(store, full_page(), [TOPIC], NOW)
    assert store.one("SELECT group_concat(text || COALESCE(author_id, ''), '') FROM posts") == ""


def test_protection_can_end_but_being_forgotten_cannot(store: Store) -> None:
    save_page(store, Page(accounts=[account(protected=True)]), [TOPIC], NOW)
    save_page(store, Page(posts=[post(1)], accounts=[account()]), [TOPIC], NOW)
    assert counts(store, "posts") == [1]
    save_page(store, Page(removals=[Removal("x:9", "account", "forgotten")]), [TOPIC], NOW)
    save_page(store, Page(posts=[post(4)], accounts=[account()]), [TOPIC], NOW)
    assert store.one("SELECT COUNT(*) FROM posts WHERE id = 'x:4'") == 0


def test_included_posts_enter_no_match_until_seen_themselves(store: Store) -> None:
    quoting = post(2, quote_of_id="x:1")
    save_page(store, Page(posts=[post(1, reference=True), quoting]), [TOPIC], NOW)
    assert counts(store, "posts", "matches") == [2, 1]
    saved = save_page(store, Page(posts=[post(1)]), [TOPIC], NOW)
    assert (saved.new_posts, saved.matched) == (1, 1)


def test_replies_to_a_stored_post_are_kept(store: Store) -> None:
    save_page(store, Page(posts=[post(1)]), [TOPIC], NOW)
    save_page(store, Page(posts=[post(2, "わかる", reply_to_id="x:1"), post(3, "関係ない話")]), [TOPIC], NOW)
    assert [r["id"] for r in store.query("SELECT id FROM posts ORDER BY id")] == ["x:1", "x:2"]


def test_a_reshare_known_twice_narrows_its_time(store: Store) -> None:
    save_page(store, Page(posts=[post(1)]), [TOPIC], NOW)
    early, late = NOW - timedelta(hours=2), NOW
    for low, high in ((None, late), (early, late), (early, early + timedelta(minutes=1)), (None, late)):
        edge = Interaction("reshare", "x:5", "x:1", None, time_low=low, time_high=high)
        save_page(store, Page(interactions=[edge]), [TOPIC], NOW)
    rows = store.query("SELECT time_low, time_high FROM interactions")
    assert [tuple(r) for r in rows] == [("2026-10-16T10:00:00Z", "2026-10-16T10:01:00Z")]


def test_observed_periods_grow_together(store: Store) -> None:
    for start, end in ((0, 10), (30, 40), (10, 30), (60, 70)):
        seen = Observed("matcha", "x", NOW + timedelta(minutes=start), NOW + timedelta(minutes=end))
        save_page(store, Page(observed=[seen]), [TOPIC], NOW)
    rows = store.query("SELECT start_utc, end_utc FROM observations ORDER BY 1")
    assert [tuple(r) for r in rows] == [
        ("2026-10-16T12:00:00Z", "2026-10-16T12:40:00Z"),
        ("2026-10-16T13:00:00Z", "2026-10-16T13:10:00Z"),
    ]


def test_saved_adds_up() -> None:
    total = Saved(new_posts=1)
    total += Saved(new_posts=2, matched=3)
    assert (total.new_posts, total.matched) == (3, 3)
