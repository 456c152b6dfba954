"""The world in which processes die, and what must be true of it afterwards."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from analysis.sentiment.scorer import load
from resonance import cycle
from resonance.importing import import_file
from resonance.pipeline.hours import update_hours
from resonance.pipeline.refresh import enrol
from resonance.pipeline.score import current_model
from resonance.pipeline.share import share_of
from resonance.tables import Skipped
from sandbox.network import Sandbox
from store import Store
from tests.analysis.tiny_onnx import write
from tests.resonance.house import BEGIN, HOST, House, x_archive

TOPICS = """
[[topics]]
slug = "kopi"
keywords = ["kopi"]
sources = ["x"]

[[topics]]
slug = "matcha"
hashtags = ["matcha"]
"""
STEPS = (30, 45, 60)  # minutes after BEGIN
SAME = {
    "posts": "id, text, author_id, created_at, edited_at, removed_reason",
    "post_sources": "source, native_id, post_id",
    "matches": "topic, post_id, own",
    "sentiments": "post_id, text_hash, label",
    "topic_hours": "topic, hour_utc, posts, authors, reshares, negative, positive, coverage, complete",
    "topic_bins": "topic, network, bin_utc, posts, scored, negative",
    "interactions": "kind, source_id, subject, via_post_id, time_low, time_high",
    "metrics": "post_id, observed_at, observer, likes, reshares",
    "cascades": "topic, post_id, size",
    "forecasts": "topic, post_id, made_at, observed",
    "observations": "topic, network, start_utc, end_utc",
    "incidents": "topic, rule, subject, state, began_at, opened_at",
    "deliveries": "incident_id, channel, kind",
    "checkpoints": "source, stream, cursor",
    "gaps": "source, topic, start_utc, end_utc",
}

Rows = list[tuple[object, ...]]


class Parent:
    """The process of `victim.py`: it has loaded everything once, and forks a child for each order."""

    def __init__(self, base: Path) -> None:
        """`base`: the folder that `prepare` filled."""
        self.log = (base / "victim.log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.robustness.victim", str(base / "tiny")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """A child lives, and perhaps dies, by an order; its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.log.seek(0)  # of the children's stderr too: they share its place
        self.log.truncate()
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert answer["signal"] in (0, signal.SIGKILL) and answer["code"] != 99, self.told()
        return answer

    def told(self) -> str:
        return Path(self.log.name).read_text(errors="replace")

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.log.close()


class Victim:
    """The cycles of one house, in children of a parent that many houses share."""

    def __init__(self, home: House, parent: Parent) -> None:
        self.home, self.parent, self.config, self.deaths = home, parent, home.folder / "resonance.toml", 0

    def run(self, **order: Any) -> dict[str, Any]:
        """A cycle at the world's time, with its answer."""
        answer = self.parent.run(order | {"config": str(self.config), "now": self.home.now.isoformat()})
        self.deaths += answer["signal"] == signal.SIGKILL
        return answer

    def told(self) -> str:
        return self.parent.told()

    def counted(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.home.folder / "counted.json").read_text())
        return found


def prepare(folder: Path) -> Path:
    """A store with ten ordinary days, and the small model beside it; the folder is copied for each test."""
    folder.mkdir()
    write(folder / "tiny", ["negative", "neutral", "positive"])
    with _house(folder, folder) as home:
        archive = x_archive(folder / "a.jsonl", 1440, end=BEGIN, hours=240, text="kopi table")
        import_file(home.store, home.settings, str(archive), home.now, Skipped("a"))
        home.score(load(str(folder / "tiny"), threads=1))
        cycle.alert_job(home.store, home.settings, home.now)
        enrol(home.store, home.settings, home.now)
        with home.store.write() as connection:  # which of the old posts are asked about depends on the number of runs
            connection.execute("UPDATE refresh_requests SET due_at = '2027-01-01T00:00:00Z'")
        home.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@contextmanager
def _house(folder: Path, base: Path) -> Iterator[House]:
    home = House(folder)
    home.timeout = 60  # a message that was slow is one that may have arrived, and no fault
    with Sandbox(home.world, lambda: home.now, mastodon=[HOST], slack=True, smtp=True) as home.sandbox:
        home.store = Store.open(folder / "r.sqlite")
        try:
            home.configure(TOPICS, f'[model]\nname = "{base / "tiny"}"\nthreads = 1')
            yield home
        finally:
            for source in home.sources:
                source.close()
            home.store.close()


@contextmanager
def doomed(base: Path, parent: Parent, folder: Path) -> Iterator[tuple[House, Victim]]:
    """A house whose cycles run in a process that can be killed."""
    shutil.copy(base / "r.sqlite", folder / "r.sqlite")
    with _house(folder, base) as home:
        story(home)
        yield home, Victim(home, parent)


def story(home: House) -> None:
    """A storm on X that spreads, a talk on Mastodon, an edit's and a deletion's worth of life in between."""
    root = home.post("100", "awful kopi bad", 1, lang="en")
    for number in range(110):
        home.post(str(100 + number % 60), f"bad awful kopi {number}", 2 + number / 5, lang="en")
    for number in range(30):
        home.reshare(str(101 + number), root, 2 + number)
        home.post(str(101 + number), f"kopi table good {number}", 31 + number, lang="en", reply_to=root.id)
    toot = home.post("900", "#matcha good", 4, lang="en")
    for number in range(1, 7):
        home.post(str(900 + number), f"#matcha good fine {number}", 5 + 8 * number, lang="en")
        home.reshare(str(900 + number), toot, 6 + 8 * number)
    gone = home.post("140", "kopi awful bad secret", 9, lang="en")
    gone.deleted_at = BEGIN + timedelta(minutes=40)


def same(found: dict[str, Rows], expected: dict[str, Rows]) -> None:
    """Compare table by table, so that a difference can be read."""
    for table, rows in expected.items():
        assert found[table] == rows, table


def contents(store: Store) -> dict[str, Rows]:
    """What must not depend on how often a process died; the sandbox's ports do not count."""

    def plain(value: object) -> object:
        return re.sub(r"127\.0\.0\.1:\d+", "instance", value) if isinstance(value, str) else value

    return {
        table: sorted((tuple(map(plain, r)) for r in store.query(f"SELECT {columns} FROM {table}")), key=repr)
        for table, columns in SAME.items()
    }


def assert_whole(home: House) -> None:
    """Against the sandbox's own truth: nothing lost, nothing twice, no half page."""
    store = home.store
    natives = [r[0] for r in store.query("SELECT native_id FROM post_sources s JOIN posts p ON p.id = s.post_id "
                                         "WHERE p.imported = 0")]  # fmt: skip
    published = {p.id for p in home.world.posts.values() if p.created_at <= home.now - timedelta(minutes=1)}
    assert sorted(natives) == sorted(published)
    assert home.count("posts", "imported = 0") == len(published)
    for part in ("matches", "metrics"):
        assert home.count("posts", f"imported = 0 AND NOT EXISTS (SELECT 1 FROM {part} x WHERE x.post_id = id)") == 0
    assert home.count("post_search") == home.count("posts", "removed_at IS NULL")
    assert home.count("runs", "state = 'running'") == 0
    assert store.one("PRAGMA integrity_check") == "ok"


def assert_marks_true(home: House) -> None:
    """The sums that were kept up to date are those that a computation from scratch gives."""
    store, model = home.store, current_model(home.store)
    assert model is not None
    assert home.count("v_posts", "label IS NULL") == 0
    kept = contents(store)
    with store.write() as connection:
        for table in ("topic_hours", "topic_bins"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("DELETE FROM marks WHERE stage LIKE 'hours%'")
    update_hours(store, home.settings, model, share_of(home.settings), home.now)
    again = contents(store)
    for table in ("topic_hours", "topic_bins"):
        assert again[table] == kept[table]


def assert_told_at_most_once(home: House) -> None:
    """No message came twice, and what did not come is failed, maybe_sent or still queued."""
    assert home.sandbox.slack is not None and home.sandbox.smtp is not None
    received = {
        "team": [json.dumps(m.payload, sort_keys=True) for m in home.sandbox.slack.messages],
        "mail": [m.parsed()["Message-ID"] for m in home.sandbox.smtp.messages],
    }
    for channel, messages in received.items():
        assert len(messages) == len(set(messages)), channel
        sent = home.count("deliveries", f"channel = '{channel}' AND state = 'sent'")
        unsure = home.count("deliveries", f"channel = '{channel}' AND state = 'maybe_sent'")
        assert sent <= len(messages) <= sent + unsure, channel
    assert home.count("deliveries", "state NOT IN ('sent', 'maybe_sent', 'failed', 'queued')") == 0
