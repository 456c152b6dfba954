"""The contract of a source. A new network is one new module with a class that fulfils it, and a line in sources.py.

A source turns questions into pages. It never writes: each page carries the checkpoint to commit with it, so that what
was stored and where to go on can never disagree. It never sleeps: it raises a `Deferred` and is called again later.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Any

from config import Topic
from store.records import Page, Spend

Cursor = dict[str, Any]
Checkpoints = Mapping[str, Cursor]
"""The cursors of one source, by stream."""


@dataclass(frozen=True, slots=True)
class Target:
    """A stored post that is to be asked about again, under its id at one source."""

    post_id: str
    native_id: str
    created_at: datetime
    author_id: str | None = None
    deep: bool = False
    """Ask who reshared, quoted and replied, not only how many."""
    deep_at: datetime | None = None
    """When that was asked last, to the end: reactions that are new since then happened after it. None: never."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `resonance check`."""

    name: str
    ok: bool
    told: str
    remedy: str = ""
    exit_code: int = 0


@dataclass(slots=True)
class Parsed:
    """What could be read of an answer, and why the rest could not; reasons never hold words of posts."""

    page: Page = field(default_factory=Page)
    skipped: list[str] = field(default_factory=list)


class Source(ABC):
    """One network, or one instance of a network. Not shared between threads."""

    name: str
    """`x`, or the host of an instance: the `source` of its posts, checkpoints and gaps."""
    network: str

    @abstractmethod
    def collect(
        self, topic: Topic, checkpoints: Checkpoints, now: datetime, stop: Event | None = None
    ) -> Iterator[Page]:
        """New posts of a topic, page by page, from where the checkpoints say; ends when all is read or `stop` is set.

        The page that completes a scan carries `Observed`. Save a page before asking for the next one. Raises
        CollectorError; the pages before it stand, and the next call goes on behind them.
        """

    @abstractmethod
    def refresh(self, targets: Sequence[Target], now: datetime, stop: Event | None = None) -> Iterator[Page]:
        """Counts, edits and removals of stored posts; of `deep` ones reshares, quotes and replies too."""

    @abstractmethod
    def check(self, topics: Sequence[Topic], now: datetime) -> list[Check]:
        """What works and what does not, found by asking the network; never raises a CollectorError.

        What that cost is `cost()`.
        """

    @abstractmethod
    def cost(self) -> Spend:
        """What `check` has cost; its caller adds it to the table `spend`."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Give back connections."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def stopped(stop: Event | None) -> bool:
    """Whether the caller wants an end."""
    return stop is not None and stop.is_set()
