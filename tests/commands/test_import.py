"""`resonance import`: what is usable is kept, what is not is named, and doing it again changes nothing."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store import Store
from tests.commands.cli import Called, call, process
from tests.resonance.house import x_archive

NOW = datetime(2026, 10, 15, tzinfo=UTC)
CONFIG = """
database = "r.sqlite"
[[topics]]
slug = "kopi"
keywords = ["kopi"]
"""
UNCOUNTED = ("spend", "changes", "sqlite_sequence")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "resonance.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def rows(config: Path) -> dict[str, int]:
    """Number of rows of every table."""
    store = Store.open(config.with_name("r.sqlite"), read_only=True)
    tables = [r[0] for r in store.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {t: store.one(f"SELECT COUNT(*) FROM {t}") for t in tables if t not in UNCOUNTED}
    store.close()
    return found


def texts(config: Path) -> list[str]:
    store = Store.open(config.with_name("r.sqlite"), read_only=True)
    found = [r[0] for r in store.query("SELECT text FROM posts ORDER BY created_at")]
    store.close()
    return found


def bring(config: Path, *files: object, **options: object) -> Called:
    return call("import", *files, "--config", config, **options)  # type: ignore[arg-type]


def test_bad_lines_are_named_and_the_rest_is_kept(config: Path, tmp_path: Path) -> None:
    archive = x_archive(tmp_path / "a.jsonl", 6, end=NOW, hours=6)
    good = archive.read_text().splitlines()
    lines = [good[0], "{broken", "", *good[1:5], '{"id_str": "1", "user": {}}', "[]", good[5], "42"]
    archive.write_text("\n".join(lines))
    done = bring(config, archive)
    assert done.code == 0
    assert f"{archive}:2: not JSON" in done.err and f"{archive}:8: a tweet of X's API 1.1" in done.err
    assert f"{archive}:11:" in done.err and f"{archive}:3:" not in done.err
    assert "6 posts in 10 lines, 6 of them new, 6 new matches" in done.out
    assert rows(config)["posts"] == 6
    assert bring(config, archive, "--strict").code == 1


def test_again_it_changes_nothing(config: Path, tmp_path: Path) -> None:
    archive = x_archive(tmp_path / "a.jsonl", 40, end=NOW, hours=40)
    first = bring(config, archive)
    before = rows(config)
    again = bring(config, archive, "--json")
    told = json.loads(again.out)
    assert first.code == again.code == 0
    assert (told["posts"], told["new_posts"], told["matched"], told["interactions"]) == (40, 0, 0, 0)
    assert rows(config) == before and before["observations"] == 1


def test_standard_input_too(config: Path, tmp_path: Path) -> None:
    archive = x_archive(tmp_path / "a.jsonl", 5, end=NOW, hours=5)
    before = None
    for _ in range(2):
        with archive.open() as stdin:
            done = process("import", "-", "--config", config, stdin=stdin)
            assert done.wait(60) == 0, done.communicate()
        assert "5 posts in 5 lines" in done.communicate()[0]
        before = before or rows(config)
    assert rows(config) == before and before["metrics"] == 5


def test_gzip_whole_and_broken_off(config: Path, tmp_path: Path) -> None:
    plain = x_archive(tmp_path / "a.jsonl", 2000, end=NOW, hours=50).read_bytes()
    packed = gzip.compress(plain, mtime=0)
    (tmp_path / "whole.jsonl.gz").write_bytes(packed)
    (tmp_path / "half.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    half = bring(config, tmp_path / "half.jsonl.gz")
    assert half.code == 0 and "the gzip file is damaged from here on" in half.err
    assert 0 < rows(config)["posts"] < 2000
    assert bring(config, tmp_path / "whole.jsonl.gz").code == 0
    assert rows(config)["posts"] == 2000


def test_an_empty_file_is_nothing_and_rubbish_is_a_failure(config: Path, tmp_path: Path) -> None:
    empty, rubbish = tmp_path / "empty.jsonl", tmp_path / "photo.jpg"
    empty.write_text("")
    rubbish.write_bytes(b"\xff\xd8\xff\xe0 not a post\n\x00\x01\n")
    assert bring(config, empty).code == 0
    failed = bring(config, rubbish)
    assert failed.code == 1 and "not one of its 2 lines could be used" in failed.err
    missing = bring(config, tmp_path / "nowhere.jsonl")
    assert missing.code == 1 and "nowhere.jsonl" in missing.err
    assert rows(config)["posts"] == 0


def test_one_bad_file_does_not_keep_the_next_out(config: Path, tmp_path: Path) -> None:
    rubbish = tmp_path / "bad.jsonl"
    rubbish.write_text("no\n")
    done = bring(config, rubbish, x_archive(tmp_path / "a.jsonl", 3, end=NOW, hours=3))
    assert done.code == 1 and rows(config)["posts"] == 3


def test_a_page_with_the_default_fields_only(config: Path, tmp_path: Path) -> None:
    page = {
        "data": [
            {"id": "1445880548472328192", "text": "kopi time", "edit_history_tweet_ids": ["1445880548472328192"]},
            {"id": "1445880548472328199", "text": "RT @a: kopi", "edit_history_tweet_ids": ["1445880548472328199"]},
        ],
        "meta": {"result_count": 2, "newest_id": "1445880548472328199", "oldest_id": "1445880548472328192"},
    }
    path = tmp_path / "default.json"
    path.write_text(json.dumps(page))
    assert bring(config, path).code == 0
    store = Store.open(config.with_name("r.sqlite"), read_only=True)
    row = store.query("SELECT author_id, created_at, text FROM posts WHERE id = 'x:1445880548472328192'")[0]
    assert tuple(row) == (None, "2021-10-06T22:36:00Z", "kopi time")
    assert store.one("SELECT COUNT(*) FROM matches WHERE post_id = 'x:1445880548472328192'") == 1
    store.close()


HOSTILE = (
    "\ud800 kopi 単独サロゲート",
    "kopi \x00\x1b[31m\x07",
    "<script>kopi</script> <!channel> =HYPERLINK()",
    "kopi " + "あ" * 100_000,
    "kopi \u202e反対\u2066",
)


def test_what_strangers_write_is_kept_harmless(config: Path, tmp_path: Path) -> None:
    lines = []
    for number, text in enumerate(HOSTILE):
        counts = {"retweet_count": 10**30, "like_count": -1, "reply_count": "many", "quote_count": None}
        native = str(1978000000000000000 + number)
        lines.append({"id": native, "text": text, "author_id": "7", "public_metrics": counts})
    path = tmp_path / "hostile.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert bring(config, path).code == 0
    kept = texts(config)
    assert len(kept) == len(HOSTILE) and all("kopi" in text for text in kept)
    for text in kept:
        assert not any(c in text for c in "\x00\x1b\x07\u202e\u2066") and len(text) <= 100_000
        text.encode("utf-8")
    assert rows(config)["matches"] == len(HOSTILE)


def test_whoever_asked_to_be_left_alone_stays_out(config: Path, tmp_path: Path) -> None:
    def status(number: int, note: str, content: str, **more: object) -> dict[str, object]:
        return {
            "id": str(number), "uri": f"https://m.example/s/{number}", "created_at": "2026-10-14T10:00:00.000Z",
            "visibility": "public", "content": f"<p>{content}</p>", "language": "ja", "replies_count": 0,
            "account": {"id": str(number), "acct": f"u{number}@m.example", "username": f"u{number}", "note": note,
                        "url": f"https://m.example/@u{number}"}, **more,
        }  # fmt: skip

    lines = [
        status(1, "", "kopi いいね"),
        status(2, "<p>#<span>nobot</span></p>", "kopi 秘密"),
        status(3, "", "kopi 非公開", visibility="private"),
    ]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert bring(config, path).code == 0
    assert texts(config) == ["kopi いいね"]


def test_a_sample_says_nothing_of_its_quiet_hours(config: Path, tmp_path: Path) -> None:
    archive = x_archive(tmp_path / "a.jsonl", 4, end=NOW, hours=40)
    bring(config, archive, "--sample")
    assert rows(config)["observations"] == 0
    bring(config, archive)
    assert rows(config)["observations"] == 1


def test_the_environment_names_the_configuration(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    archive = x_archive(tmp_path / "a.jsonl", 3, end=NOW, hours=3)
    assert call("import", archive, env={"RESONANCE_CONFIG": str(config)}).code == 0
    assert rows(config)["matches"] == 3 and not (elsewhere / "resonance.sqlite").exists()
    assert call("import", archive).code == 0  # and without any, the defaults
    assert (elsewhere / "resonance.sqlite").exists()


def test_an_archive_older_than_what_is_kept_is_told(config: Path, tmp_path: Path) -> None:
    config.write_text(f"{CONFIG}retention_days = 30\n")
    old = x_archive(tmp_path / "old.jsonl", 3, end=datetime(2023, 5, 3, tzinfo=UTC), hours=24)
    done = bring(config, old)
    assert done.code == 0 and "goes back to 2023-05-02, and posts are kept for 30 days" in done.err
    new = x_archive(tmp_path / "new.jsonl", 3, end=datetime.now(UTC), hours=24)
    assert "kept for" not in bring(config, new).err
