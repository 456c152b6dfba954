"""The analyst's promise: documented, and usable with nothing but the standard library's sqlite3."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from config import Topic
from docs import build
from store import SchemaTooNew, Store, StoreCorrupt, StoreReadOnly
from store.ingest import save_page
from store.records import Page
from tests.store.conftest import NOW, post

DOCS = Path(build.__file__).parent
TEXTS = (
    "日本酒と抹茶",
    "日本のコーヒー coffee がうまい",
    "酒場で一杯",
    "Flat White ☕ とても良い",
    "ＣＯＦＦＥＥ　全角",
    '"引用" と don\'t の話',
    "本を読む",
    "#抹茶 #MatchaLove 🍵",
)
FOUND = {
    "日本": {0, 1},
    "日本酒": {0},
    "酒場": {2},
    "酒": {0, 2},
    "本": {0, 1, 6},
    "coffee": {1, 4},
    "COFFEE": {1, 4},
    "☕": {3},
    "🍵": {7},
    "#抹茶": {7},
    "抹茶": {0, 7},
    "flat white": {3},
    "本酒場": set(),
    '"引用': {5},
    "don't": {5},
    "うまい": {1},
    "コーヒー coffee": {1},
}


@pytest.fixture
def filled(store: Store) -> Path:
    topic = Topic(slug="all", accounts=("x:9",))
    save_page(store, Page(posts=[post(i, text) for i, text in enumerate(TEXTS)]), [topic], NOW)
    assert store.one("SELECT COUNT(*) FROM matches") == len(TEXTS)
    return store.path


def documented_queries() -> dict[str, str]:
    text = (DOCS / "schema.md").read_text(encoding="utf-8")
    return dict(re.findall(r"### (\w+)\n(?:(?!###)[\s\S])*?```sql\n([\s\S]*?)```", text))


@pytest.mark.parametrize("page", build.PAGES)
def test_generated_pages_are_up_to_date(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == build.PAGES[page](), "run: python docs/build.py"


def test_every_column_has_a_sentence(store: Store) -> None:
    described = build.objects()
    for (name,) in store.query(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' "
        "AND name NOT LIKE 'post_search_%' AND name NOT LIKE '_sqlite%'"
    ):
        columns = [row["name"] for row in store.query(f"PRAGMA table_info({name})")]
        documented = [column for column, _ in described[name][2]]
        assert documented == columns or name == "post_search", name
        assert all(sentence.endswith(".") or "..." in sentence or sentence for _, sentence in described[name][2])


def test_there_are_ten_documented_queries_and_all_run(filled: Path) -> None:
    queries = documented_queries()
    assert len(queries) == 10
    connection = sqlite3.connect(f"file:{filled}?mode=ro", uri=True)
    for sql in queries.values():
        connection.execute(sql, {"topic": "all", "since": "2026-10-01T00:00:00Z", "words": "日本"}).fetchall()
    connection.close()


@pytest.mark.parametrize("words", FOUND)
def test_japanese_is_found_in_pure_sql(filled: Path, words: str) -> None:
    connection = sqlite3.connect(filled)
    rows = connection.execute(documented_queries()["search"], {"topic": "all", "words": words}).fetchall()
    connection.close()
    assert {TEXTS.index(row[1]) for row in rows} == FOUND[words]


@pytest.mark.parametrize("words", ["", " ", "*", '"', "AND", "日 OR 本", "(", "x" * 5000, "-抹茶", "^", ":", "a\x00b"])
def test_a_hostile_search_is_only_words(filled: Path, words: str) -> None:
    connection = sqlite3.connect(filled)
    rows = connection.execute(documented_queries()["search"], {"topic": "all", "words": words}).fetchall()
    connection.close()
    assert len(rows) <= len(TEXTS)


def test_a_newer_file_is_refused_and_left_alone(store: Store) -> None:
    store.connection.execute("PRAGMA user_version = 999")
    store.close()
    before = store.path.read_bytes()
    with pytest.raises(SchemaTooNew, match="newer") as caught:
        Store.open(store.path)
    assert caught.value.exit_code == 78
    assert store.path.read_bytes() == before


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreCorrupt, match="restore the newest backup"):
        Store.open(tmp_path / "x.sqlite")
    with pytest.raises(StoreReadOnly, match="is not there"):
        Store.open(tmp_path / "none.sqlite", create=False)


def test_writers_wait_for_each_other_across_processes(store: Store) -> None:
    script = (
        "import sys; from store import Store\n"
        "s = Store.open(sys.argv[1])\n"
        "for i in range(25):\n"
        "    with s.write() as c:\n"
        "        n = c.execute('SELECT COUNT(*) FROM mutes').fetchone()[0]\n"
        "        c.execute(\"INSERT INTO mutes (until, created_at, by) VALUES ('x', 'x', 'x')\")\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(store.path)]) for _ in range(3)]
    assert [p.wait(60) for p in running] == [0, 0, 0]
    assert store.one("SELECT COUNT(*) FROM mutes") == 75
