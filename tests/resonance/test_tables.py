"""Tables that users bring, and the sentences that they get back."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import NotAuthorised
from config import ConfigError
from resonance import tables
from resonance.errors import NothingUsable, UsageError, explain
from resonance.tables import BadField, Skipped, read_rows, write_rows
from store import SchemaTooNew


def read(path: Path, required: tuple[str, ...] = ("a",), parse: Any = dict) -> tuple[list[Any], Skipped, str]:
    told = io.StringIO()
    skipped = Skipped(path.name, stream=told)
    return list(read_rows(str(path), required, parse, skipped)), skipped, told.getvalue()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.jsonl", '{"a": "1"}\n\n{"a": "２"}\n'),
        ("t.csv", "a,b\n1,x\n２,\n"),
        ("t.tsv", "a\tb\n1\tx\n２\t\n"),
        ("t.csv.gz", "a\r\n1\r\n２\r\n"),
        ("t.jsonl.gz", '\ufeff{"a": "1"}\n{"a": "２"}'),
    ],
)
def test_csv_and_json_lines_packed_or_not(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    rows, skipped, told = read(path)
    assert [r["a"] for r in rows] == ["1", "２"] and (skipped.lines, skipped.bad, told) == (2, 0, "")


def test_bad_lines_are_numbered_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n{\n[1]\n{"b": 1}\n' + "x\n" * 12 + '{"a": "bad"}\n')
    rows, skipped, told = read(path, parse=lambda row: tables.number(row, "a"))
    assert rows == [1.0] and skipped.bad == 16
    assert "t.jsonl:2: not JSON" in told and "t.jsonl:3: not a JSON object" in told
    assert "t.jsonl:4: the field 'a' is missing" in told and told.count("\n") == 10
    assert skipped.finish() == 0 and skipped.finish(strict=True) == 1
    assert "6 more lines skipped" in skipped.stream.getvalue()  # type: ignore[attr-defined]
    assert "1 of 17 lines used, 16 skipped" in skipped.stream.getvalue()  # type: ignore[attr-defined]


def test_a_table_without_its_column_is_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("b,c\n1,2\n")
    with pytest.raises(UsageError, match=r"'a' is missing\. Its first line names b, c") as error:
        read(path)
    assert error.value.exit_code == 2


def test_a_csv_line_that_is_none_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2,3\n" + "x" * 200_000 + ",1\n4,5\n")
    rows, skipped, told = read(path)
    assert [r["a"] for r in rows] == ["4"] and skipped.bad == 2
    assert "more fields than the first line names" in told and "not CSV" in told


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_gzip_file_that_breaks_off_keeps_its_beginning(tmp_path: Path, suffix: str) -> None:
    lines = ["a"] * (suffix == "csv") + [str(n) if suffix == "csv" else json.dumps({"a": n}) for n in range(20_000)]
    packed = gzip.compress("\n".join(lines).encode())
    path = tmp_path / f"t.{suffix}.gz"
    path.write_bytes(packed[:-2000])
    rows, skipped, told = read(path)
    assert 0 < len(rows) < 20_000 and skipped.bad >= 1 and "damaged from here on" in told


def test_not_one_usable_line_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("no\nno\n")
    _, skipped, _ = read(path)
    with pytest.raises(NothingUsable, match="not one of its 2 lines"):
        skipped.finish()
    path.write_text("")
    assert read(path)[1].finish() == 0


@pytest.mark.parametrize("value", [None, True, "", "x", float("nan"), "inf", [1], {"a": 1}])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(BadField, match="a is not"):
        tables.number({"a": value}, "a")
    assert tables.optional_number({"a": None}, "a") is tables.optional_number({}, "a") is None


def test_times() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for value in ("2026-11-22T12:00:00Z", "2026-11-22T21:00:00+09:00", "2026-11-22 12:00", 1795348800, 1795348800.0):
        assert tables.time({"t": value}, "t") == noon, value
    assert tables.time({"t": "2026-11-22T21:00"}, "t", ZoneInfo("Asia/Tokyo")) == noon
    for value in (None, "yesterday", "", True, 1e300, float("nan")):
        with pytest.raises(BadField, match="not a time"):
            tables.time({"t": value}, "t")


def test_texts() -> None:
    assert tables.text({"a": 5}, "a") == "5" and tables.text({"a": " x "}, "a") == " x "
    for value in (None, "", "  ", True, ["x"]):
        with pytest.raises(BadField, match="a is empty"):
            tables.text({"a": value}, "a")


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_row_can_be_written_and_read_again(row: dict[str, Any]) -> None:
    out = io.StringIO()
    write_rows([row], out)
    out.getvalue().encode("utf-8")
    assert json.loads(out.getvalue()) == row and out.getvalue().count("\n") == 1


def test_a_lone_surrogate_is_escaped() -> None:
    out = io.StringIO()
    write_rows([{"a": "\ud800炎"}], out)
    assert json.loads(out.getvalue().encode()) == {"a": "\ud800炎"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("c"), 78),
        (SchemaTooNew("s"), 78),
        (NotAuthorised("x", "no.", "do."), 77),
        (NothingUsable("n"), 1),
        (UsageError("u"), 2),
        (FileNotFoundError(2, "No such file", "f.csv"), 1),
    ],
)
def test_each_expected_error_has_its_code(error: Exception, code: int) -> None:
    told = explain(error)
    assert told is not None and told.exit_code == code and told.text


def test_a_bug_keeps_its_traceback() -> None:
    assert explain(ZeroDivisionError()) is None and explain(KeyError("x")) is None
