"""The list of `python -m tests.guards` keeps up with the code; two of its guards are broken here, the others there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.guards import GUARDS, ROOT, Guard, copy, notices

FAST = ("checkpoint", "tombstone")


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_is_there_and_has_its_test(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.text) == 1
    file, _, name = guard.test.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_every_pitfall_but_that_of_streams_names_its_tests_and_they_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| .*? \| (.*) \|$", page, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [number for number in range(1, 26) if number != 18]
    for number, named in rows:
        found = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", named)
        assert found, number
        for file, name in found:
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), name


def test_a_broken_guard_is_noticed(tmp_path: Path) -> None:
    copy(tmp_path)
    before = {guard.file: (ROOT / guard.file).read_bytes() for guard in GUARDS}
    assert all(notices(tmp_path, guard) for guard in GUARDS if guard.name in FAST)
    assert before == {guard.file: (ROOT / guard.file).read_bytes() for guard in GUARDS}
