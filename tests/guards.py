"""Breaks the most important guards one by one, and shows that the test of each then fails: `python -m tests.guards`.

The tree is copied (hard links), the tests pass there as it is, one guard is broken, and its test has to fail; then the
next. `python -m tests.guards NAME ...` breaks only these. Exit code 1: a test did not notice, or failed before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("config", "store", "collector", "analysis", "alerts", "resonance", "sandbox", "tests", "docs")


class Guard(NamedTuple):
    """`text` of `file` is the guard, `broken` what stands there without it, `test` notices; `pitfall` in words."""

    name: str
    pitfall: str
    file: str
    text: str
    broken: str
    test: str


GUARDS = (
    Guard(
        "checkpoint",
        "The cursor is saved before the page's data, or in another transaction.",
        "store/ingest.py",
        "        self._resolve_versions(page)\n        gone =",
        "        save_checkpoint(self.connection, page.checkpoint, self.now)\n"
        '        self.connection.execute("COMMIT")\n'
        '        self.connection.execute("BEGIN IMMEDIATE")\n'
        "        self._resolve_versions(page)\n        gone =",
        "tests/store/test_ingest.py::test_a_failure_midway_leaves_neither_data_nor_checkpoint",
    ),
    Guard(
        "death_midway",
        "X pages newest first: a checkpoint that moves before the last page leaves a hole.",
        "collector/x/walk.py",
        '            self.cursor["pending"] = dict(window)\n',
        '            self.cursor["since_id"] = window["newest_id"]\n',
        "tests/collector/test_collect_x.py::test_pitfall_2_a_death_midway_leaves_no_hole",
    ),
    Guard(
        "first_page",
        "The next since_id is the first page's newest, not the last page's.",
        "collector/x/walk.py",
        'window.setdefault("newest_id", newest)',
        'window["newest_id"] = newest',
        "tests/collector/test_collect_x.py::test_pitfall_2_since_id_is_the_first_pages_newest",
    ),
    Guard(
        "gap",
        "A since_id that is too old: what is missing is recorded, not forgotten.",
        "collector/x/walk.py",
        "            page.gaps += [found for found in (gap, self._gap) if found]\n",
        "",
        "tests/collector/test_collect_x.py::test_pitfall_3_a_since_id_that_is_too_old_is_reset_and_the_gap_recorded",
    ),
    Guard(
        "overlap",
        "X shows posts half a minute late, with ids that are only generally ascending.",
        "collector/x/walk.py",
        "OVERLAP = timedelta(minutes=3)",
        "OVERLAP = timedelta(0)",
        "tests/collector/test_collect_x.py::test_pitfall_4_what_is_indexed_late_is_read_by_the_overlap",
    ),
    Guard(
        "min_id",
        "Mastodon's since_id answers with the newest page: a gap where there are more than 40 new posts.",
        "collector/mastodon/walk.py",
        'self.ask({"min_id": walk["at"]})',
        'self.ask({"since_id": walk["at"]})',
        "tests/collector/test_collect_mastodon.py::test_pitfall_5_more_than_a_page_of_new_posts_is_read_whole_and_no_more",
    ),
    Guard(
        "outage",
        "Only a confirmed removal deletes; or an outage wipes the data.",
        "collector/mastodon/refresh.py",
        "return None if refusal.status in GONE else {}",
        "return None",
        "tests/collector/test_collect_mastodon.py"
        "::test_pitfall_13_a_single_status_is_removed_only_when_a_working_instance_says_so",
    ),
    Guard(
        "purge",
        "A removal takes the text out of search, too.",
        "store/removal.py",
        '        connection.execute("DELETE FROM post_search WHERE rowid = ?", (row[0],))\n',
        "",
        "tests/store/test_ingest.py::test_a_removal_purges_text_search_and_evidence_and_keeps_the_count",
    ),
    Guard(
        "tombstone",
        "A delete may arrive before its create.",
        "store/ingest.py",
        'return set(_among(self.connection, "SELECT subject_id FROM tombstones WHERE subject_id IN", ids))',
        "return set()",
        "tests/store/test_ingest.py::test_a_delete_before_its_create_holds",
    ),
    Guard(
        "rate_limit",
        "A window that is used up is not asked for another refusal.",
        "collector/limits.py",
        "if window and window.left <= 0 and now < window.until:",
        "if window and window.left < 0 and now < window.until:",
        "tests/collector/test_limits.py::test_a_used_up_window_is_not_asked_and_each_endpoint_has_its_own",
    ),
    Guard(
        "opt_out",
        "Who opts out later is purged when that is seen.",
        "store/ingest.py",
        "if account.opted_out or account.protected:",
        "if account.protected:",
        "tests/store/test_ingest.py::test_an_opt_out_seen_later_purges_what_was_stored",
    ),
    Guard(
        "maybe_sent",
        "A restart must not tell again what a dead process may have told.",
        "alerts/outbox.py",
        "\"UPDATE deliveries SET state = 'maybe_sent', \"\n"
        "                \"error = 'the process ended before the answer was recorded' \"",
        "\"UPDATE deliveries SET state = 'queued', \"\n"
        "                \"error = 'the process ended before the answer was recorded' \"",
        "tests/alerts/test_outbox.py::test_what_a_dead_process_left_is_maybe_sent_and_never_repeated",
    ),
    Guard(
        "budget",
        "The cap on spending holds in code, across UTC midnight too.",
        "collector/x/budget.py",
        'if cost > 0 and cost > period.left("usd") + ROUNDING:',
        "if cost > 0 and cost > 1e9:",
        "tests/collector/test_refresh_x.py::test_pitfall_25_the_cap_holds_in_code",
    ),
    Guard(
        "one_writer",
        "A transaction that reads first and writes later finds the file locked.",
        "store/db.py",
        'connection.execute("BEGIN IMMEDIATE")',
        'connection.execute("BEGIN")',
        "tests/store/test_db.py::test_a_transaction_that_has_only_read_holds_the_file_already",
    ),
)


def copy(target: Path) -> None:
    """The rooms and their tests, as links: what is broken is written anew."""
    ignore = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copy(ROOT / "pyproject.toml", target / "pyproject.toml")
    for room in ROOMS:
        shutil.copytree(ROOT / room, target / room, copy_function=_link, ignore=ignore)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy(source, target)


def outcome(folder: Path, *tests: str) -> int:
    """Exit code of pytest in the copy: 0 all passed, 1 some failed, others: it could not run."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode


def notices(folder: Path, guard: Guard) -> bool:
    """Whether its test fails without the guard."""
    path = folder / guard.file
    whole = path.read_text(encoding="utf-8")
    write(path, whole.replace(guard.text, guard.broken))
    try:
        return outcome(folder, guard.test) == 1
    finally:
        write(path, whole)


def write(path: Path, text: str) -> None:
    """Leave the file that it was linked to alone."""
    path.unlink()
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Break them; a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(guard.name for guard in GUARDS))
    names = parser.parse_args().names
    chosen = [guard for guard in GUARDS if not names or guard.name in names]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy(folder)
        if not chosen or outcome(folder, *(guard.test for guard in chosen)) != 0:
            print("The tests do not pass as it is (or there is no such guard).")
            return 1
        unnoticed = 0
        for guard in chosen:
            noticed = notices(folder, guard)
            unnoticed += not noticed
            told = "fails as it should" if noticed else "DOES NOT NOTICE"
            print(f"{told:<20} {guard.name:<14} {guard.pitfall}", flush=True)
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())
