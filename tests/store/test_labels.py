"""What stands beside the matches and in the search index follows whatever is written, by whomever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from config import Topic
from store import Store
from store.ingest import save_page
from store.queries import QUERIES
from store.records import Page, Removal, iso
from store.topics import sync_topics
from tests.store.conftest import NOW, post

MATCHA = Topic(slug="matcha", keywords=("抹茶",))
LATTE = Topic(slug="tea-latte", keywords=("ラテ",))


def say(store: Store, number: int, label: str, at: int = 0, version: str = "1") -> None:
    with store.write() as db:
        db.execute(
            "INSERT OR REPLACE INTO sentiments (post_id, text_hash, model, version, label, negative, neutral, "
            "positive, scored_at) SELECT id, text_hash, 'm', ?, ?, 0.3, 0.4, 0.3, ? FROM posts WHERE id = ?",
            (version, label, iso(NOW + timedelta(minutes=at)), f"x:{number}"),
        )


def correct(store: Store, number: int, label: str) -> None:
    with store.write() as db:
        db.execute(
            "INSERT INTO corrections (post_id, label, by, at) VALUES (?, ?, 'aya', ?)", (f"x:{number}", label, iso(NOW))
        )


def labels(store: Store) -> dict[str, str | None]:
    """Beside the matches; always what v_posts says."""
    rows = store.query("SELECT m.post_id, m.label, v.label FROM matches m LEFT JOIN v_posts v ON v.id = m.post_id")
    assert all(row[1] == row[2] for row in rows)
    return {row[0]: row[1] for row in rows}


def topics(store: Store) -> dict[str, set[str]]:
    """In the search index; always those of the matches."""
    found = {r[0]: set(r[1].split()) for r in store.query("SELECT rowid, topics FROM post_search")}
    for pk, names in found.items():
        rows = store.query("SELECT topic FROM matches m JOIN posts p ON p.id = m.post_id WHERE p.pk = ?", (pk,))
        assert {r[0] for r in rows} == names
    return {r[0]: found[r[1]] for r in store.query("SELECT id, pk FROM posts") if r[1] in found}


def save(store: Store, *numbers: int, topics: tuple[Topic, ...] = (MATCHA,), **more: object) -> None:
    save_page(store, Page(posts=[post(n, **more) for n in numbers]), topics, NOW)


def test_the_newest_result_holds_until_a_person_corrects_it(store: Store) -> None:
    save(store, 1, 2)
    assert labels(store) == {"x:1": None, "x:2": None}
    say(store, 1, "negative")
    say(store, 1, "positive", at=5, version="2")
    assert labels(store) == {"x:1": "positive", "x:2": None}
    correct(store, 1, "neutral")
    correct(store, 1, "negative")
    say(store, 1, "positive", at=9, version="2")
    assert labels(store)["x:1"] == "negative"
    with store.write() as db:
        db.execute("DELETE FROM corrections")
    assert labels(store)["x:1"] == "positive"
    with store.write() as db:
        db.execute("UPDATE sentiments SET label = 'neutral' WHERE version = '2'")
        db.execute("DELETE FROM sentiments WHERE version = '1'")
    assert labels(store)["x:1"] == "neutral"


def test_an_edit_and_a_removal_take_the_label_away(store: Store) -> None:
    save(store, 1, 2)
    say(store, 1, "negative")
    say(store, 2, "negative")
    edited = replace(post(1, "抹茶は苦い"), edited_at=NOW)
    save_page(store, Page(posts=[edited]), [MATCHA], NOW)
    assert labels(store)["x:1"] is None
    say(store, 1, "positive", at=3)
    assert labels(store)["x:1"] == "positive"
    save_page(store, Page(removals=[Removal("x:2", "post", "deleted")]), [MATCHA], NOW)
    assert labels(store) == {"x:1": "positive", "x:2": None}
    assert topics(store) == {"x:1": {"matcha"}}


def test_a_topic_that_comes_later_brings_label_and_search(store: Store) -> None:
    sync_topics(store, [MATCHA], NOW)
    save(store, 1)
    say(store, 1, "negative")
    sync_topics(store, [MATCHA, LATTE], NOW)
    assert store.one("SELECT label FROM matches WHERE topic = 'tea-latte'") == "negative"
    assert topics(store) == {"x:1": {"matcha", "tea-latte"}}
    found = {"topic": "tea-latte", "words": "抹茶"}
    search = next(q.sql for q in QUERIES if q.name == "search")
    assert len(store.query(search, found)) == 1
    sync_topics(store, [MATCHA, replace_query(LATTE)], NOW)
    assert topics(store) == {"x:1": {"matcha"}} and store.query(search, found) == []


def replace_query(topic: Topic) -> Topic:
    return topic.model_copy(update={"keywords": ("ほうじ茶",)})


def test_an_edit_that_matches_another_topic_is_found_there(store: Store) -> None:
    save(store, 1, topics=(MATCHA, LATTE), text="抹茶だけ")
    edited = replace(post(1, "抹茶ラテだった"), edited_at=NOW)
    save_page(store, Page(posts=[edited, edited]), (MATCHA, LATTE), NOW)
    assert topics(store) == {"x:1": {"matcha", "tea-latte"}}
    assert store.one("SELECT COUNT(*) FROM post_search WHERE post_search MATCH 'topics : \"tea-latte\"'") == 1


def test_a_post_twice_in_a_page_is_one(store: Store) -> None:
    reference = replace(post(1), reference=True)
    save_page(store, Page(posts=[post(1), post(1), reference, post(2, reply_to_id="x:1")]), [MATCHA], NOW)
    assert topics(store) == {"x:1": {"matcha"}, "x:2": {"matcha"}}
    assert [r[0] for r in store.query("SELECT pk FROM posts ORDER BY pk")] == [1, 2]


@pytest.mark.parametrize(
    ("name", "index"),
    [("newest_negative", "matches_label"), ("incidents", "feedback_incident"), ("mood_by_hour", "topic_hours")],
)
def test_a_question_reads_only_what_it_shows(store: Store, name: str, index: str) -> None:
    sql = next(q.sql for q in QUERIES if q.name == name)
    plan = [r[3] for r in store.query(f"EXPLAIN QUERY PLAN {sql}", {"topic": "t", "since": "2026-10-01T00:00:00Z"})]
    assert any(index in step and ("topic=?" in step or "incident_id=?" in step) for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan)


def test_the_posts_behind_scores_are_found_from_the_scores_whatever_sqlite_guesses(store: Store) -> None:
    connection = store.connection
    connection.execute(
        "ANALYZE"
    )  # makes the table of statistics; of a million posts it said this, and nothing of evidence
    connection.executemany(
        "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)",
        [("runs", "runs_topic", "240 30 30 30 1"), ("resonance", "resonance_rank", "240000 1000 1"),
         ("resonance", "resonance", "240000 1000 1"), ("posts", "sqlite_autoindex_posts_1", "1000000 1")],
    )  # fmt: skip
    connection.execute("ANALYZE sqlite_schema")
    sql = next(q.sql for q in QUERIES if q.name == "why_this_score")
    plan = [r[3] for r in store.query(f"EXPLAIN QUERY PLAN {sql}", {"topic": "t"})]
    assert any("subject_kind=? AND subject_id=?" in step for step in plan), plan
