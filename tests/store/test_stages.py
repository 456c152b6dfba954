"""The change sequence is forgotten as far as everybody has read it; who is gone for good holds nothing back."""

from __future__ import annotations

from config import Topic
from store import Store
from store.ingest import save_page
from store.records import Page
from store.stages import mark_of, prune_changes, set_mark
from store.topics import sync_topics
from tests.store.conftest import NOW, post

MATCHA = Topic(slug="matcha", keywords=("抹茶",))
LATTE = Topic(slug="latte", keywords=("ラテ",))


def changes(store: Store) -> int:
    return int(store.one("SELECT COUNT(*) FROM changes"))


def marked(store: Store, *marks: tuple[str, str, int]) -> None:
    with store.write() as connection:
        for stage, topic, seq in marks:
            set_mark(connection, stage, seq, topic)


def filled(store: Store, posts: int = 10) -> None:
    sync_topics(store, [MATCHA, LATTE], NOW)
    save_page(store, Page(posts=[post(n) for n in range(posts)]), [MATCHA, LATTE], NOW)


def test_changes_are_kept_until_the_slowest_stage_has_read_them(store: Store) -> None:
    filled(store)
    marked(store, ("score:m:1", "", 10), ("hours:m:1", "matcha", 8), ("hours:m:1", "latte", 6), ("spread", "latte", 9))
    assert prune_changes(store) == 6
    assert changes(store) == 4 and prune_changes(store) == 0


def test_a_removed_topic_holds_nothing_back_and_begins_anew(store: Store) -> None:
    filled(store)
    marked(store, ("score:m:1", "", 10), ("hours:m:1", "matcha", 10), ("hours:m:1", "latte", 2), ("spread", "latte", 2))
    sync_topics(store, [MATCHA], NOW)
    assert prune_changes(store) == 10
    assert mark_of(store, "hours:m:1", "latte") == mark_of(store, "spread", "latte") == 0
    assert mark_of(store, "hours:m:1", "matcha") == 10
    assert sync_topics(store, [MATCHA, LATTE], NOW) == ["latte"]  # matched again, its hours all written again


def test_a_replaced_model_holds_nothing_back_and_begins_anew(store: Store) -> None:
    filled(store)
    marked(store, ("score:a/old:model:1", "", 3), ("hours:a/old:model:1", "matcha", 3), ("spread", "matcha", 10))
    assert prune_changes(store) == 3  # nobody has replaced it yet
    marked(store, ("score:new:2", "", 10), ("hours:new:2", "matcha", 9))
    assert prune_changes(store) == 6
    assert mark_of(store, "score:a/old:model:1") == mark_of(store, "hours:a/old:model:1", "matcha") == 0
    assert mark_of(store, "score:new:2") == 10
