"""Runs of the graph stage in the store, and the pictures drawn of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from config import Topic
from resonance.errors import UserError
from resonance.pictures.cascade import cascade_picture
from resonance.pictures.communities import communities_map
from resonance.pictures.layout import packed
from resonance.pictures.style import WORDS, shortened
from resonance.pipeline.graph import analyse_topic
from resonance.pipeline.reading import PIECE, Window, exclusions, interactions, pieces
from store import Store
from store.records import iso
from tests.commands.cli import call

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
NOW = BEGIN + timedelta(days=2)
TOPIC = Topic(
    slug="matcha", name="抹茶 <b>", keywords=("抹茶",), timezone="Asia/Tokyo", window_days=7, own_accounts=("x:own",)
)
ROOT = "x:p0"
CONFIG = (
    'database = "{path}"\n[[topics]]\nslug = "matcha"\nname = "抹茶"\nkeywords = ["抹茶"]\ntimezone = "Asia/Tokyo"\n'
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures") / "r.sqlite"


@pytest.fixture(scope="module")
def store(path: Path) -> Store:
    """Three groups of 40 who reshare each other, one giveaway, one cascade in two generations with forecasts."""
    store, rng = Store.open(path), np.random.default_rng(2)
    with store.write() as db:
        for n in range(120):
            at = iso(BEGIN + timedelta(minutes=n))
            word = ("窯", "自転車", "祭り")[n // 40]
            text = f"抹茶 {word}道楽" if n != 100 else "フォロー&リポストで10名様に抹茶をプレゼント"
            db.execute(
                "INSERT INTO accounts (id, network, handle, followers, bot, first_seen, observed_at) "
                "VALUES (?, 'x', ?, ?, ?, ?, ?)",
                (f"x:{n}", f"user_{n}", n, n == 7, at, at),
            )
            db.execute(
                "INSERT INTO posts (id, network, author_id, text, text_hash, lang, created_at, first_seen) "
                "VALUES (?, 'x', ?, ?, 'h', 'ja', ?, ?)",
                (f"x:p{n}", f"x:{n}", text, at, at),
            )
            db.execute(
                "INSERT INTO matches (topic, post_id, created_at, version, matched_at) VALUES ('matcha', ?, ?, 1, ?)",
                (f"x:p{n}", at, at),
            )
        edges = {(int(a), int(a) // 40 * 40 + int(b)) for a, b in rng.integers(0, 120, (900, 2)) % [120, 40]}
        edges |= {(n, 0) for n in range(1, 30)} | {(n, 0) for n in (45, 50, 85)}
        for n, (source, target) in enumerate(sorted(edges)):
            reshare(db, source, f"x:p{target}", BEGIN + timedelta(hours=3, minutes=n))
        db.execute(
            "UPDATE interactions SET via_post_id = 'x:q1', kind = 'quote' "
            "WHERE source_id = 'x:1' AND target_post_id = ?",
            (ROOT,),
        )
        reshare(db, 90, "x:q1", BEGIN + timedelta(hours=20))
        db.execute(
            "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, depth, breadth, per_hour, "
            "communities) VALUES ('matcha', ?, 'tree', ?, ?, 33, 2, 32, 0, '[]')",
            (ROOT, iso(BEGIN), iso(NOW)),
        )
        for age in (3600, 7200, 86400):
            db.execute(
                "INSERT INTO forecasts VALUES ('matcha', ?, ?, ?, 9, 40, 9, 120, 0.5, 0.4, 'v')",
                (ROOT, iso(BEGIN + timedelta(seconds=age)), age),
            )
    return store


def reshare(db: object, source: int, post: str, at: datetime) -> None:
    db.execute(  # type: ignore[attr-defined]
        "INSERT OR IGNORE INTO interactions (kind, source_id, subject, target_post_id, time_low, time_high, "
        "first_seen) VALUES ('reshare', ?, ?, ?, ?, ?, ?)",
        (f"x:{source}", post, post, iso(at), iso(at), iso(at)),
    )


def test_a_window_is_read_with_the_author_as_target(store: Store) -> None:
    found = interactions(store, TOPIC, Window.of(TOPIC, NOW))
    # The reshare of a quote that the topic does not know is not about the topic.
    assert len(found) == store.one("SELECT COUNT(*) FROM interactions") - 1
    first = found.accounts[found.target[0]]
    assert found.items[found.item[0]] == f"x:p{first.removeprefix('x:')}"
    assert found.followers[found.code("x:5")] == 5
    assert found.time.min() >= (BEGIN + timedelta(hours=3)).timestamp()
    assert len(interactions(store, TOPIC, Window(NOW, NOW + timedelta(days=1)))) == 0


def test_answers_come_in_pieces_that_make_the_whole(store: Store) -> None:
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"
    sizes = [len(piece) for piece in pieces(store, sql, (PIECE + 5,))]
    assert sizes == [PIECE, 5]


def test_bots_giveaways_and_suspects_do_not_count(store: Store) -> None:
    found = interactions(store, TOPIC, Window.of(TOPIC, NOW))
    left = exclusions(store, TOPIC, Window.of(TOPIC, NOW), found, frozenset({"x:9"}))
    assert left.bots == {"x:7"} and left.giveaways == {"x:p100"} and left.coordinated == {"x:9"} and left.own == set()
    handled = TOPIC.model_copy(update={"own_accounts": ("x:user_3",)})
    assert exclusions(store, handled, Window.of(TOPIC, NOW), found).own == {"x:3"}


def test_a_run_is_written_whole_and_the_next_keeps_the_names(store: Store) -> None:
    run, again = analyse_topic(store, TOPIC, NOW), analyse_topic(store, TOPIC, NOW)
    names = [
        store.query("SELECT account_id, community, subcommunity FROM memberships WHERE run_id = ?", (r,))
        for r in (run, again)
    ]
    assert [tuple(row) for row in names[0]] == [tuple(row) for row in names[1]] and len(names[0]) > 100
    rows = store.query("SELECT * FROM communities WHERE run_id = ? AND level = 'coarse' ORDER BY size DESC", (again,))
    assert [row["size"] for row in rows][:3] == sorted((row["size"] for row in rows), reverse=True)[:3] and len(
        rows
    ) >= 3
    assert any("窯道楽" in row["words"] or "自転車道楽" in row["words"] or "道楽" in row["words"] for row in rows)
    assert {row["central"] != "[]" for row in rows} == {True}
    fine = store.query("SELECT parent FROM communities WHERE run_id = ? AND level = 'fine'", (again,))
    assert {row["parent"] for row in fine} <= {row["community"] for row in rows}
    best = store.query("SELECT * FROM resonance WHERE run_id = ? ORDER BY rank", (again,))
    assert best[0]["account_id"] == "x:0" and store.one("SELECT state FROM runs WHERE id = ?", (again,)) == "done"
    assert json.loads(store.one("SELECT left_out FROM runs WHERE id = ?", (again,)))["giveaway"] > 0


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_map_names_communities_and_lies_within_its_frame(store: Store, language: str) -> None:
    if store.one("SELECT COUNT(*) FROM runs WHERE state = 'done'") == 0:
        analyse_topic(store, TOPIC, NOW)
    drawn = communities_map(store, TOPIC, language)  # type: ignore[arg-type]
    rims = drawn["layer"][1]["data"]["values"]
    assert len(rims) >= 3 and len({rim["colour"] for rim in rims}) == len(rims)
    for layer in drawn["layer"]:
        for mark in layer["data"]["values"]:
            assert 0 <= mark["x"] <= drawn["width"] and 0 <= mark["y"] <= drawn["height"]
    text = json.dumps(drawn, ensure_ascii=False)
    assert "@user_0" in text and ("コミュニティの地図" in text) == (language == "ja")


def test_the_spread_shows_generations_forecasts_and_communities(store: Store) -> None:
    if store.one("SELECT COUNT(*) FROM runs WHERE state = 'done'") == 0:
        analyse_topic(store, TOPIC, NOW)
    drawn = cascade_picture(store, TOPIC, None, "ja")
    sizes, tree = drawn["vconcat"]
    observed = sizes["layer"][-1]["data"]["values"]
    reached = len(tree["layer"][1]["data"]["values"])
    assert observed[-1]["y"] == reached + 1 and [v["y"] for v in observed] == sorted(v["y"] for v in observed)
    assert [v["high"] for v in sizes["layer"][0]["data"]["values"]] == [120, 120, 120]
    heights = [v["y"] for v in tree["layer"][1]["data"]["values"]]
    assert sum(h > 1.5 for h in heights) == 1, "the reshare of the quote is the second generation"
    assert len({v["group"] for v in tree["layer"][1]["data"]["values"]}) >= 2
    assert "@user_0" in drawn["title"]["text"]


def test_what_is_not_known_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="x:nothing is not among"):
        cascade_picture(store, TOPIC, "x:nothing", "en")
    empty = Store.open(tmp_path / "empty.sqlite")
    with pytest.raises(UserError, match="not been analysed"):
        communities_map(empty, TOPIC, "en")
    with pytest.raises(UserError, match="passed on often enough"):
        cascade_picture(empty, TOPIC, None, "en")


def test_counts_alone_make_a_line_and_no_tree(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "counts.sqlite")
    with store.write() as db:
        at = iso(BEGIN)
        db.execute(
            "INSERT INTO posts (id, network, text, text_hash, created_at, first_seen) "
            "VALUES ('m:1', 'mastodon', 't', 'h', ?, ?)",
            (at, at),
        )
        db.execute(
            "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, per_hour, communities) "
            "VALUES ('matcha', 'm:1', 'counts', ?, ?, 9, 0, '[]')",
            (at, at),
        )
        for hours in (1, 5):
            db.execute(
                "INSERT INTO metrics (post_id, observed_at, observer, reshares) VALUES ('m:1', ?, 'm', ?)",
                (iso(BEGIN + timedelta(hours=hours)), hours),
            )
    drawn = cascade_picture(store, TOPIC, "m:1", "en")
    assert len(drawn["vconcat"]) == 1 and WORDS["en"]["counts"] in drawn["title"]["subtitle"]
    assert [v["y"] for v in drawn["vconcat"][0]["layer"][0]["data"]["values"]] == [1, 2, 6, 6]


@pytest.mark.parametrize("what", ["communities", "cascade"])
def test_the_command_writes_a_png(store: Store, path: Path, tmp_path: Path, what: str) -> None:
    if store.one("SELECT COUNT(*) FROM runs WHERE state = 'done'") == 0:
        analyse_topic(store, TOPIC, NOW)
    config, output = tmp_path / "resonance.toml", tmp_path / "picture.png"
    config.write_text(CONFIG.format(path=path), encoding="utf-8")
    done = call("picture", what, "--config", config, "--output", output)
    assert done.code == 0 and done.out == f"{output}\n"
    assert output.read_bytes().startswith(b"\x89PNG") and len(output.read_bytes()) > 20_000
    wrong = call("picture", what, "--config", config, "--topic", "tea", "--output", output)
    assert wrong.code == 2 and "matcha" in wrong.err


def test_circles_lie_close_but_not_upon_each_other() -> None:
    rng = np.random.default_rng(0)
    radius = rng.uniform(3, 30, 40)
    place = packed(radius, np.zeros((40, 40)), 2.0)
    apart = np.linalg.norm(place[:, None] - place[None], axis=2) - radius[:, None] - radius[None, :]
    assert apart[~np.eye(40, dtype=bool)].min() > -1
    assert np.linalg.norm(place, axis=1).max() < 3 * np.sqrt((radius**2).sum())


def test_ties_bring_circles_together() -> None:
    radius, ties = np.full(6, 5.0), np.zeros((6, 6))
    ties[0, 5] = ties[5, 0] = 1
    place = packed(radius, ties, 1.0)
    distance = np.linalg.norm(place - place[0], axis=1)
    assert distance[5] == pytest.approx(np.sort(distance)[1], abs=2)


def test_texts_are_cut_by_columns() -> None:
    assert shortened("抹茶ラテ", 8) == "抹茶ラテ"
    assert shortened("抹茶ラテ", 7) == "抹茶ラ…"
    assert shortened("a\x00b\n\u202ec", 9) == "ab c"
    assert set(WORDS["ja"]) == set(WORDS["en"])
