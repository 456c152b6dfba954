"""Plays the week: the sandbox here, the daemon in a process of its own on the same fast clock, killed now and then."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from config import Settings, load
from sandbox.network import Sandbox
from sandbox.slack_receiver import WEBHOOK
from store import Store
from store.records import iso
from tests.robustness.week.memory import Memory, sample
from tests.robustness.week.story import READ, Story
from tests.robustness.week.troubles import Trouble

ROOT = Path(__file__).parents[3]
CONFIG = """\
database = "week.sqlite"
contact = "ops@example.com"

[[topics]]
slug = "kopi"
keywords = ["kopi"]
hashtags = ["kopi"]

[[topics]]
slug = "matcha"
keywords = ["抹茶"]
hashtags = ["抹茶"]

[x]
bearer_token = "{x_token}"
base_url = "{x_url}"
daily_budget_usd = 1000
timeout = {timeout}

{instances}
[[channels]]
type = "slack"
name = "team"
webhook_url = "{webhook}"
timeout = {timeout}

[[channels]]
type = "email"
name = "mail"
host = "{smtp_host}"
port = {smtp_port}
security = "none"
sender = "Resonance <r@example.com>"
recipients = ["team@example.com"]
timeout = {timeout}

[schedule]
collect = {collect}
refresh = {refresh}
score = {score}
analyse = {analyse}
alert = {alert}
deliver = {deliver}
housekeeping = 720
{extra}"""
INSTANCE = """\
[[mastodon]]
url = "{url}"
access_token = "{token}"
public_timeline = {public}
timeout = {timeout}
"""
_DONE = "succeeded_at >= :end AND error IS NULL"
IDLE = (
    (f"SELECT COUNT(*) FROM jobs WHERE name LIKE 'collect:%' AND {_DONE}", 3),
    (f"SELECT COUNT(*) FROM jobs WHERE name LIKE 'refresh:%' AND {_DONE}", 3),
    (f"SELECT COUNT(*) FROM jobs WHERE name IN ('hours', 'alert') AND {_DONE}", 2),
    ("SELECT COUNT(*) FROM jobs WHERE name = 'score' AND started_at <> finished_at", 0),
    ("SELECT COUNT(*) FROM refresh_requests WHERE due_at <= :end", 0),
    ("SELECT COUNT(*) FROM deliveries WHERE state IN ('queued', 'sending')", 0),
    (
        """SELECT COUNT(*) FROM posts p WHERE removed_at IS NULL AND reference = 0
        AND NOT EXISTS (SELECT 1 FROM sentiments s WHERE s.post_id = p.id AND s.text_hash = p.text_hash)""",
        0,
    ),
    (
        """SELECT COUNT(*) FROM topics t WHERE (SELECT COUNT(*) FROM matches WHERE topic = t.slug)
        <> (SELECT SUM(posts) FROM topic_hours WHERE topic = t.slug)""",
        0,
    ),
)
"""Questions to the store, and the answers when nothing is left to do."""
SAMPLE = 0.3  # seconds
PATIENCE = timedelta(days=3)


@dataclass(frozen=True)
class Pace:
    """How often the daemon works, in simulated minutes; `timeout` in real seconds; `extra` ends the configuration."""

    collect: float = 5
    refresh: float = 15
    score: float = 180
    analyse: float = 720
    alert: float = 15
    deliver: float = 5
    timeout: float = 1.0
    extra: str = ""
    inside: bool = False
    """Without child processes."""


@dataclass
class Played:
    """What is left."""

    story: Story
    troubles: list[Trouble]
    sandbox: Sandbox
    settings: Settings
    store: Store
    folder: Path
    memory: Memory
    interruptions: list[tuple[datetime, str]]
    caught_up: datetime | None
    seconds: float
    secrets: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        return (self.folder / "daemon.log").read_text(encoding="utf-8", errors="replace")


class Player:
    """The sandbox, and the daemon's process beside it."""

    def __init__(self, story: Story, troubles: list[Trouble], folder: Path, pace: Pace, seed: int) -> None:
        self.story, self.troubles, self.folder, self.pace = story, troubles, folder, pace
        self.now, self.random = story.begins, Random(seed)
        self.flags = ("--inside",) if pace.inside else ()
        self.memory = Memory(story.begins)
        self.interruptions: list[tuple[datetime, str]] = []
        self.process: subprocess.Popen[str] | None = None
        self.sandbox = Sandbox(
            story.world, lambda: self.now, mastodon=READ, slack=True, smtp=True, folder=folder / "received"
        )
        for trouble in troubles:
            for fault in trouble.faults:
                self.sandbox.faults.add(fault)

    def configure(self) -> Settings:
        sandbox, pace = self.sandbox, self.pace
        assert sandbox.slack is not None and sandbox.smtp is not None
        instances = "\n".join(
            INSTANCE.format(
                url=url, token=sandbox.mastodon_token, public=str(host == READ[0]).lower(), timeout=pace.timeout
            )
            for host, url in sandbox.mastodon_urls.items()
        )
        text = CONFIG.format(
            x_token=sandbox.x_token,
            x_url=sandbox.x_url,
            instances=instances,
            webhook=sandbox.slack.webhook_url,
            smtp_host=sandbox.smtp.host,
            smtp_port=sandbox.smtp.port,
            **vars(pace),
        )
        path = self.folder / "resonance.toml"
        path.write_text(text, encoding="utf-8")
        return load(path)

    def start(self, begins: datetime) -> None:
        """Start the daemon at a moment; it waits at its first step."""
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.robustness.week.lapse", str(self.folder / "resonance.toml"), *self.flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                start_new_session=True,
            )
        assert self._read() == "ready", self._broken()
        self._say(begins.isoformat())
        self._arrive()

    def until(self, moment: datetime) -> None:
        """Let the daemon do all that is due before a moment."""
        while self.now < moment:
            self._say("go")
            self._arrive()

    def kill(self) -> None:
        """SIGKILL, to the daemon and its children, anywhere in the next step."""
        assert self.process is not None
        self._say("go")
        time.sleep(self.random.uniform(0, 0.3))
        self.interruptions.append((self.now, "SIGKILL"))
        os.killpg(self.process.pid, signal.SIGKILL)
        self._ended()

    def end(self) -> int:
        """SIGTERM in the middle of a step; returns the exit code."""
        assert self.process is not None
        self.interruptions.append((self.now, "SIGTERM"))
        self._say("go")
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def idle(self) -> bool:
        """Whether all that happened has been read, scored, summed and told."""
        end = iso(self.story.ends + timedelta(minutes=20))
        with closing(sqlite3.connect(f"file:{self.folder / 'week.sqlite'}?mode=ro", uri=True, timeout=10)) as db:
            return all(db.execute(sql, {"end": end}).fetchone()[0] == wanted for sql, wanted in IDLE)

    def _arrive(self) -> None:
        """At the daemon's next step: the network moves on, and what is planned by then happens."""
        said = self._read()
        assert said, self._broken()
        self.now = datetime.fromisoformat(said)
        while self.story.changes and self.story.changes[0][0] <= self.now:
            self.story.changes.pop(0)[2]()
        for trouble in self.troubles:
            trouble.look(self.now, self.sandbox.faults, self._errors)

    def _errors(self, network: str) -> list[str]:
        """What the jobs of a network say that is wrong."""
        names = {"x": "%:x", "mastodon": "%:127%"}.get(network, "deliver")
        with closing(sqlite3.connect(f"file:{self.folder / 'week.sqlite'}?mode=ro", uri=True, timeout=10)) as db:
            return [
                r[0] for r in db.execute("SELECT error FROM jobs WHERE name LIKE ? AND error IS NOT NULL", (names,))
            ]

    def _read(self) -> str:
        """The daemon's next line; its memory is measured meanwhile."""
        assert self.process is not None and self.process.stdout is not None
        while not select.select([self.process.stdout], [], [], SAMPLE)[0]:
            self.memory.add(self.now, sample(self.process.pid))
        return self.process.stdout.readline().strip()

    def _say(self, line: str) -> None:
        assert self.process is not None and self.process.stdin is not None
        if self._next_sample <= time.monotonic():
            self._next_sample = time.monotonic() + SAMPLE
            self.memory.add(self.now, sample(self.process.pid))
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    _next_sample = 0.0

    def _broken(self) -> str:
        return f"the daemon ended by itself: see {self.folder}/daemon.log"

    def _ended(self) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        assert process.stdin is not None and process.stdout is not None
        code = process.wait(60)
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()
        return code


def play(
    story: Story,
    troubles: list[Trouble],
    folder: Path,
    pace: Pace,
    *,
    off: datetime,
    kills: tuple[float, ...] = (),
    seed: int = 1,
    tell: Callable[[str], None] = lambda text: None,
) -> Played:
    """Six hours at `off`, nothing until the story begins, then all of it, with a SIGKILL at each of `kills` (0..1)."""
    player, began = Player(story, troubles, folder, pace, seed), time.monotonic()
    length, caught_up = story.ends - story.begins, None
    with player.sandbox:
        settings = player.configure()
        try:
            player.start(off)
            player.until(off + timedelta(hours=6))
            assert player.end() == 0, player._broken()
            player.start(story.begins)
            for part in kills:
                _days(player, story.begins + part * length, tell)
                player.kill()
                player.start(player.now + timedelta(minutes=40))
            _days(player, story.ends + timedelta(hours=1), tell)
            while caught_up is None and player.now < story.ends + PATIENCE:
                player.until(player.now + timedelta(minutes=30))
                caught_up = player.now if player.idle() else None
            assert player.end() == 0, player._broken()
        finally:
            if player.process is not None:
                os.killpg(player.process.pid, signal.SIGKILL)
                player._ended()
        store = Store.open(settings.database)
    secrets = [player.sandbox.x_token, player.sandbox.mastodon_token, WEBHOOK.rpartition("/")[2]]
    return Played(
        story, troubles, player.sandbox, settings, store, folder, player.memory, player.interruptions, caught_up,
        time.monotonic() - began, secrets,
    )  # fmt: skip


def _days(player: Player, moment: datetime, tell: Callable[[str], None]) -> None:
    """Until a moment, with a word at each midnight of the story."""
    while player.now < moment:
        player.until(min(moment, player.now + timedelta(hours=6)))
        tell(f"{iso(player.now)}: {player.memory.samples[-1][1]:.0f} MiB")
