"""Playing the story: archives first, then collection over HTTP, step by step on a simulated clock."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from analysis.sentiment.scorer import Scorer, load
from collector.sources import sources
from config import Settings
from resonance import cycle
from resonance.demo.config import write_config
from resonance.importing import import_file
from resonance.jobs import Job
from resonance.pipeline.hours import update_hours
from resonance.pipeline.score import key_of, score_posts
from resonance.pipeline.share import share_of
from resonance.spent import spent_in
from resonance.tables import Skipped
from sandbox.network import Sandbox
from sandbox.story import brand, write_archives
from sandbox.world import World
from store import Store
from store.topics import sync_topics

STEP = timedelta(minutes=30)
GRAPH_EVERY = 12  # steps
Tell = Callable[[str], None]
Advance = Callable[[datetime], None]


@dataclass(slots=True)
class Clock:
    """The simulated present: stages get it as `now`, the sandbox shows what had happened by it."""

    now: datetime

    def __call__(self) -> datetime:
        """The simulated present."""
        return self.now


@dataclass(frozen=True, slots=True)
class Played:
    """What is left after the last step."""

    settings: Settings
    store: Store
    problems: list[str]
    scored: int
    requests: int


def play(
    world: World, folder: Path, language: str, tell: Tell, advance: Advance, end: datetime | None = None
) -> Played:
    """Play the whole story into `folder`; `advance` is called at each step with the simulated time."""
    clock = Clock(brand.LIVE_FROM)
    with Sandbox(
        world, clock, mastodon=[brand.BRAND_INSTANCE], slack=True, smtp=True, folder=folder / "received"
    ) as sandbox:
        settings = write_config(folder, sandbox, language)
        store = Store.open(settings.database)
        sync_topics(store, settings.topics, clock.now)
        _import(world, folder, store, settings, clock.now, tell)
        tell("Loading the sentiment model and scoring the first eleven days ...")
        scorer = load(settings.model.name)
        scored = _score(store, settings, scorer, clock.now)
        _healthy(cycle.analyse_job(store, settings, clock.now), [])
        _healthy(cycle.alert_job(store, settings, clock.now), [])
        tell(f"{scored} posts scored. Now the last three days, over HTTP, in steps of {STEP.seconds // 60} minutes ...")
        problems: list[str] = []
        scored += _live(clock, end or world.ends, store, settings, scorer, problems, advance)
        requests = int(store.one("SELECT SUM(requests) FROM spend") or 0)
    return Played(settings, store, problems, scored, requests)


def _import(world: World, folder: Path, store: Store, settings: Settings, now: datetime, tell: Tell) -> None:
    archives = write_archives(world, folder / "archives")
    for path in (archives.x, archives.mastodon):
        os.utime(path, (now.timestamp(), now.timestamp()))  # counts are as of the end of the archive
        skipped = Skipped(path.name)
        done = import_file(store, settings, str(path), now, skipped)
        skipped.finish()
        tell(f"resonance import {path.name}: {len(done.posts)} posts, {done.saved.interactions} reactions")


def _score(store: Store, settings: Settings, scorer: Scorer, now: datetime) -> int:
    count = score_posts(store, scorer, now)
    update_hours(store, settings, key_of(scorer), share_of(settings), now)
    return count


def _live(
    clock: Clock,
    end: datetime,
    store: Store,
    settings: Settings,
    scorer: Scorer,
    problems: list[str],
    advance: Advance,
) -> int:
    scored, step = 0, 0
    found = sources(settings, spent_in(store))
    while clock.now < end:
        clock.now, step = clock.now + STEP, step + 1
        now = clock.now
        for source in found:
            _healthy(cycle.collect_job(store, settings, source, now), problems)
            _healthy(cycle.refresh_job(store, settings, source, now), problems)
        scored += _score(store, settings, scorer, now)
        if step % GRAPH_EVERY == 0:
            _healthy(cycle.analyse_job(store, settings, now), problems)
        _healthy(cycle.alert_job(store, settings, now), problems)
        _healthy(cycle.deliver_job(store, settings, now), problems)
        advance(now)
    for source in found:
        source.close()
    return scored


def _healthy(job: Job, problems: list[str]) -> None:
    if job.error:
        problems.append(f"{job.name}: {job.error}")
