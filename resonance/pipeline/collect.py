"""New posts: asks one source for every topic, and stores each page with its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from collector.base import Source
from collector.errors import CollectorError, Deferred, NetworkDown, NotAuthorised
from config import Settings
from store import Store
from store.ingest import Saved, checkpoints, save_page
from store.matching import Matchers


@dataclass(slots=True)
class Collected:
    """What a source brought, and what it could not."""

    saved: Saved = field(default_factory=Saved)
    pages: int = 0
    errors: list[CollectorError] = field(default_factory=list)

    def told(self) -> str:
        """In words, for `status`."""
        return f"{self.saved.new_posts} new posts, {self.saved.interactions} reactions in {self.pages} pages"


def collect(store: Store, settings: Settings, source: Source, now: datetime, stop: Event | None = None) -> Collected:
    """Read what is new for every topic from one source. What fails for one topic does not keep the next from it,
    unless the source itself is down, refuses us, or asks us to wait.
    """
    done = Collected()
    matchers = Matchers(settings.topics)
    for topic in settings.topics:
        if source.network not in topic.sources or (stop and stop.is_set()):
            continue
        try:
            for page in source.collect(topic, checkpoints(store, source.name), now, stop):
                done.saved += save_page(store, page, matchers, now)
                done.pages += 1
        except CollectorError as error:
            done.errors.append(error)
            if isinstance(error, Deferred | NetworkDown | NotAuthorised):
                break
    return done
