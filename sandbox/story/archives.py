"""Writes what had happened by a moment as archives: X as twarc writes it, Mastodon as lines of statuses.

The objects come from the servers' own renderers, so an archive and a live collection look alike.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.index import NetworkIndex
from sandbox.mastodon_index import InstanceView, Status
from sandbox.mastodon_objects import Renderer as MastodonRenderer
from sandbox.story import brand
from sandbox.story.texts import names_brand
from sandbox.world import Post, World
from sandbox.x_index import Entry, XIndex
from sandbox.x_objects import EXPANSIONS, POST_FIELDS, USER_FIELDS, Wanted, stamp
from sandbox.x_objects import Renderer as XRenderer

X_FILE = "x-archive.jsonl.gz"
MASTODON_FILE = "mastodon-archive.jsonl"
PAGE = 100
SEARCH_URL = "https://api.twitter.com/2/tweets/search/all"


@dataclass(frozen=True, slots=True)
class Archives:
    """Where the archives lie and how much is in them: posts, and reshares as entries of their own."""

    x: Path
    mastodon: Path
    x_posts: int
    x_reshares: int
    mastodon_posts: int
    mastodon_reshares: int


def write_archives(world: World, folder: Path, until: datetime = brand.LIVE_FROM) -> Archives:
    """Writes both files into `folder` (made if need be), with texts and counts as they were at `until`.

    Like every archive of a search they hold opted-out people too: whoever imports them has to leave those out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = _x_entries(world, until)
    statuses = _statuses(world, until)
    x_path, mastodon_path = folder / X_FILE, folder / MASTODON_FILE
    with x_path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for page in _x_pages(world, entries, until):
            file.write(_line(page))
    with mastodon_path.open("wb") as plain:
        for status in _rendered(world, statuses, until):
            plain.write(_line(status))
    reshares = sum(entry.reshare is not None for entry in entries)
    boosts = sum(status.reshare is not None for _, status in statuses)
    return Archives(x_path, mastodon_path, len(entries) - reshares, reshares, len(statuses) - boosts, boosts)


def _line(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _wanted(base: NetworkIndex, post: Post) -> bool:
    """Whether a search for the brand brings a post: it names the brand, or answers or quotes one that does."""
    seen: Post | None = post
    while seen is not None:
        if names_brand(seen.text):
            return True
        seen = base.posts.get(seen.reply_to or seen.quote_of or "")
    return False


def _x_entries(world: World, until: datetime) -> list[Entry]:
    index = XIndex(NetworkIndex(world, "x"))
    both: Iterable[Entry] = (*index.ordered, *index.reposts.values())
    shown = [entry for entry in both if index.shows(entry, until) and entry.at < until]
    found = [entry for entry in shown if _wanted(index.base, entry.post)]
    return sorted(found, key=lambda entry: entry.key, reverse=True)


def _x_pages(world: World, entries: Sequence[Entry], until: datetime) -> Iterator[dict[str, Any]]:
    """Response pages, newest first, each with twarc's own note about it."""
    index = XIndex(NetworkIndex(world, "x"))
    wanted = Wanted.of(POST_FIELDS, USER_FIELDS, EXPANSIONS)
    for start in range(0, len(entries), PAGE):
        chunk = entries[start : start + PAGE]
        page = XRenderer(index, until, wanted).page(chunk)
        meta: dict[str, Any] = {"newest_id": chunk[0].id, "oldest_id": chunk[-1].id, "result_count": len(chunk)}
        if start + PAGE < len(entries):
            meta["next_token"] = f"sandbox{start + PAGE:08d}"
        note = {"url": SEARCH_URL, "version": "2.14.1", "retrieved_at": stamp(until)}
        yield {**page, "meta": meta, "__twarc": note}


def _statuses(world: World, until: datetime) -> list[tuple[InstanceView, Status]]:
    """Public statuses and boosts of them, each as its author's own instance shows it, oldest first."""
    base = NetworkIndex(world, "mastodon")
    found: list[tuple[InstanceView, Status]] = []
    for instance in brand.INSTANCES:
        view = InstanceView(base, instance)
        found += [(view, one) for one in view.by_id.values() if view.local(one.author) and _open(view, one, until)]
    return sorted(found, key=lambda pair: (pair[1].at, pair[1].id))


def _open(view: InstanceView, status: Status, until: datetime) -> bool:
    known = status.shown < until and status.at < until and view.exists(status, until)
    return known and status.post.visibility == "public" and _wanted(view.base, status.post)


def _rendered(
    world: World, statuses: Sequence[tuple[InstanceView, Status]], until: datetime
) -> Iterator[dict[str, Any]]:
    renderers: dict[str, MastodonRenderer] = {}
    for view, status in statuses:
        if view.instance not in renderers:
            renderers[view.instance] = MastodonRenderer(view, until, False, world.emojis)
        yield renderers[view.instance].status(status)
