"""What is taken out is taken out everywhere; what belongs to nothing here never comes in."""

from __future__ import annotations

import json
from datetime import timedelta

from config import Topic
from store import Store
from store.ingest import save_page
from store.records import Account, Interaction, Page, Removal
from tests.store.conftest import NOW, post

TOPIC = Topic(slug="t", keywords=("抹茶",), exclude=("懸賞",))


def save(store: Store, *, imported: bool = False, **page: object) -> object:
    return save_page(store, Page(**page), [TOPIC], NOW, imported=imported)  # type: ignore[arg-type]


def ids(store: Store, table: str = "posts") -> set[str]:
    column = "via_post_id" if table == "interactions" else "id"
    return {r[0] for r in store.query(f"SELECT {column} FROM {table}")}


def test_what_does_not_match_leaves_nothing_however_often_it_is_read(store: Store) -> None:
    """Its references, its reactions and its place in a conversation of strangers included."""
    quoting = post(2, "抹茶の懸賞", quote_of_id="x:1")
    edge = Interaction("quote", "x:9", "x:1", "x:8", "x:2", NOW, NOW)
    page = {"posts": [post(1, "元の話", reference=True, author_id="x:8"), quoting], "interactions": [edge]}
    for _ in range(2):
        save(store, **page)
    assert ids(store) == ids(store, "interactions") == set()


def test_what_a_match_refers_to_is_kept_and_strangers_in_its_thread_are_not(store: Store) -> None:
    quoting = post(2, "抹茶だ", quote_of_id="x:1")
    edge = Interaction("quote", "x:9", "x:1", "x:8", "x:2", NOW, NOW)
    save(store, posts=[post(1, "元の話", reference=True), quoting], interactions=[edge])
    save(store, posts=[post(3, "別の返信", reply_to_id="x:1"), post(4, "こちらへ", reply_to_id="x:2")])
    assert ids(store) == {"x:1", "x:2", "x:4"} and ids(store, "interactions") == {"x:2"}


def test_a_reshare_of_something_unknown_keeps_it_for_the_graph(store: Store) -> None:
    edge = Interaction("reshare", "x:5", "x:1", None, "", NOW, NOW)
    save(store, posts=[post(1, "元の話", reference=True)], interactions=[edge])
    assert ids(store) == {"x:1"} and store.one("SELECT COUNT(*) FROM interactions") == 1


def test_protected_may_become_public_but_forgotten_holds(store: Store) -> None:
    author = Account("x:9", "x", "tanaka")
    save(store, accounts=[Account("x:9", "x", "tanaka", protected=True)])
    save(store, removals=[Removal("x:9", "account", "forgotten")])
    save(store, posts=[post(1)], accounts=[author])
    assert ids(store) == set() and store.one("SELECT reason FROM tombstones") == "forgotten"


def test_an_archive_does_not_make_anybody_public_again(store: Store) -> None:
    save(store, accounts=[Account("x:9", "x", "tanaka", protected=True)])
    save(store, posts=[post(1)], accounts=[Account("x:9", "x", "tanaka")], imported=True)
    assert ids(store) == set()
    save(store, posts=[post(1)], accounts=[Account("x:9", "x", "tanaka")])
    assert ids(store) == {"x:1"}


def test_a_name_is_taken_out_of_what_was_computed_about_others(store: Store) -> None:
    save(store, posts=[post(1)], accounts=[Account("x:9", "x", "tanaka", "田中"), Account("x:8", "x", "sato")])
    with store.write() as db:
        db.execute(
            "INSERT INTO communities VALUES (1, 'f1', 'fine', NULL, 3, '@tanaka', '[]', '[]', '{}', ?, NULL)",
            (json.dumps(["x:9", "x:8"]),),
        )
        db.execute("INSERT INTO memberships VALUES (1, 'x:9', 'c1', 'f1'), (1, 'x:8', 'c1', 'f1')")
        db.execute(
            "INSERT INTO resonance (run_id, account_id, resonance, low, high, rank, parts, parts_missing, flags) "
            "VALUES (1, 'x:9', 1, 1, 1, 1, '{}', '[]', '[]')"
        )
        db.execute(
            "INSERT INTO evidence VALUES ('resonance', '1:x:9', 'x:77', 1.0), ('resonance', '1:x:8', 'x:78', 1.0)"
        )
        db.execute(
            "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, per_hour, communities) "
            "VALUES ('t', 'x:1', 'tree', '', '', 3, 0, ?)",
            (json.dumps([{"community": "f1", "account": "x:9", "through": "x:8"}]),),
        )
        db.executemany(
            "INSERT INTO incidents (topic, rule, subject, state, severity, began_at, opened_at, updated_at, "
            "last_active_at, facts) VALUES ('t', ?, ?, 'open', 'info', '', '', '', '', ?)",
            [(rule, subject, json.dumps({"account": "tanaka", "observed": 3}))
             for rule, subject in (("rising_user", "x:9"), ("viral_cascade", "x:1"))],
        )  # fmt: skip
    save(store, removals=[Removal("x:9", "account", "deleted")])
    assert store.query("SELECT label, central FROM communities")[0][:] == ("-", '["x:8"]')
    assert [r[0] for r in store.query("SELECT subject_id FROM evidence")] == ["1:x:8"]
    entry = json.loads(store.one("SELECT communities FROM cascades"))[0]
    assert entry == {"community": "f1", "account": None, "through": "x:8"}
    assert {r[0] for r in store.query("SELECT facts FROM incidents")} == {'{"observed":3}'}
    tables = [
        r[0]
        for r in store.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'post_search%'")
    ]
    everything = json.dumps([[list(r) for r in store.query(f"SELECT * FROM {t}")] for t in tables], default=repr)
    assert "tanaka" not in everything and "抹茶ラテ" not in everything and "田中" not in everything


def test_a_purge_is_counted_once(store: Store) -> None:
    save(store, posts=[post(1), post(2, created_at=NOW - timedelta(hours=1))])
    first = save(store, removals=[Removal("x:9", "account", "deleted"), Removal("x:1", "post", "deleted")])
    again = save(store, removals=[Removal("x:9", "account", "deleted")])
    assert (first.removed, again.removed) == (2, 0)  # type: ignore[attr-defined]
