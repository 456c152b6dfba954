"""Reading the tables that users bring: CSV or JSON lines, .gz too, `-` for standard input.

A bad line is reported on stderr with its number and skipped; the rest is kept.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, TextIO, TypeVar

from resonance.errors import NothingUsable, UsageError

Row = TypeVar("Row")
SHOWN = 10  # bad lines that are named one by one; the rest is counted


class BadField(ValueError):
    """A field of one line that cannot be read; the message names the field."""


@dataclass
class Skipped:
    """Counts the lines that could not be used and names the first of them on stderr."""

    name: str
    lines: int = 0
    bad: int = 0
    parts: int = 0
    stream: TextIO = field(default_factory=lambda: sys.stderr)

    def add(self, line: int, why: str) -> None:
        """Record one bad line."""
        self.bad += 1
        if self.bad <= SHOWN:
            print(f"{self.name}:{line}: {why}; line skipped", file=self.stream)

    def note(self, line: int, reasons: Sequence[str]) -> None:
        """Tell that parts of a line could not be used; the line itself counts as used."""
        for why in reasons:
            self.parts += 1
            if self.parts <= SHOWN:
                print(f"{self.name}:{line}: {why}; that part skipped", file=self.stream)

    def finish(self, strict: bool = False) -> int:
        """Report what was left out; returns the exit code. Raises NothingUsable when nothing was left in."""
        if self.bad > SHOWN:
            print(f"{self.name}: {self.bad - SHOWN} more lines skipped", file=self.stream)
        if self.lines and self.bad == self.lines:
            raise NothingUsable(f"{self.name}: not one of its {self.lines} lines could be used. See the reasons above.")
        if self.bad:
            print(
                f"{self.name}: {self.lines - self.bad} of {self.lines} lines used, {self.bad} skipped", file=self.stream
            )
        return int(strict and self.bad > 0)


def open_text(path: str) -> TextIO:
    """A file as UTF-8 text (a byte that is not UTF-8 becomes U+FFFD); `-` is standard input; gzip is recognised."""
    raw: Any = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115
    packed = raw.peek(2)[:2] == b"\x1f\x8b"
    binary: Any = gzip.GzipFile(fileobj=raw) if packed else raw
    if packed:
        binary.myfileobj = raw  # closed together
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="")


def whole_lines(stream: TextIO, skipped: Skipped) -> Iterator[str]:
    """The lines of a file; a gzip file that breaks off is named, and what came before is kept."""
    count = 0
    try:
        for line in stream:
            count += 1
            yield line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        skipped.lines += 1
        skipped.add(count + 1, "the gzip file is damaged from here on")


def _is_csv(path: str) -> bool:
    return Path(path.removesuffix(".gz")).suffix.lower() in {".csv", ".tsv"}


def _csv_rows(
    stream: Iterator[str], path: str, required: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    reader = csv.DictReader(stream, delimiter="\t" if ".tsv" in path else ",")
    columns = reader.fieldnames or []
    missing = [name for name in required if name not in columns]
    if missing:
        raise UsageError(
            f"{path}: the column {missing[0]!r} is missing. Its first line names {', '.join(columns) or 'nothing'}; "
            f"needed are {', '.join(required)}."
        )
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, f"not CSV ({error})"
            continue
        if None in row:
            yield reader.line_num, "more fields than the first line names"
        else:
            yield reader.line_num, row


def _json_rows(stream: Iterator[str], required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"not JSON ({error})"
            continue
        if not isinstance(row, dict):
            yield number, "not a JSON object"
        elif missing := [name for name in required if name not in row]:
            yield number, f"the field {missing[0]!r} is missing"
        else:
            yield number, row


def read_rows(
    path: str, required: tuple[str, ...], parse: Callable[[dict[str, Any]], Row], skipped: Skipped
) -> Iterator[Row]:
    """Each line of the file at `path` through `parse`; lines that raise BadField are counted in `skipped`."""
    with open_text(path) as stream:
        lines = whole_lines(stream, skipped)
        rows = _csv_rows(lines, path, required) if _is_csv(path) else _json_rows(lines, required)
        for number, row in rows:
            skipped.lines += 1
            if isinstance(row, str):
                skipped.add(number, row)
                continue
            try:
                parsed = parse(row)
            except BadField as error:
                skipped.add(number, str(error))
            else:
                yield parsed


def number(row: dict[str, Any], name: str) -> float:
    """A finite number in a field, written as a number or as text."""
    value = row.get(name)
    try:
        if value is None or isinstance(value, bool):
            raise ValueError
        result = float(value)
    except (TypeError, ValueError):
        raise BadField(f"{name} is not a number: {_short(value)}") from None
    if not math.isfinite(result):
        raise BadField(f"{name} is not a finite number: {_short(value)}")
    return result


def optional_number(row: dict[str, Any], name: str) -> float | None:
    """The same, or None where the field is missing or empty."""
    return None if row.get(name) in (None, "") else number(row, name)


def text(row: dict[str, Any], name: str) -> str:
    """A text that is not empty; numbers become text."""
    value = row.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise BadField(f"{name} is empty")
    return value


def time(row: dict[str, Any], name: str, zone: tzinfo = UTC) -> datetime:
    """An ISO 8601 time or unix seconds, in UTC; without a zone it is taken to be in `zone`."""
    value = row.get(name)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        raise BadField(f"{name} is not a time (ISO 8601, such as 2026-11-22T09:30:00Z): {_short(value)}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _short(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def write_rows(rows: Iterable[dict[str, Any]], stream: TextIO | None = None) -> None:
    """JSON lines to stdout; lone surrogates are escaped, so that any text can be printed."""
    out = stream or sys.stdout
    for row in rows:
        try:
            line = json.dumps(row, ensure_ascii=False)
            line.encode("utf-8")
        except UnicodeEncodeError:
            line = json.dumps(row)
        out.write(line + "\n")
