"""X's view of a world: every edit is a version with an id of its own, and lists are lists of versions."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.index import ADDRESS, HANDLE, HASHTAG, NetworkIndex, appears
from sandbox.world import Person, Post, Reshare, x_id
from sandbox.x_query import Document, Query, parse, words_of

CASHTAG = re.compile(r"(?<!\w)\$([A-Za-z]{1,6})\b")
CACHED_QUERIES = 2000


@dataclass(slots=True)
class Entry:
    """A version of a post, or a repost, as X's lists hold it; `key` is its id as a number, which sorts by time."""

    id: str
    key: int
    at: datetime
    post: Post
    text: str = ""
    number: int = 0
    shown: datetime | None = None
    until: datetime | None = None
    reshare: Reshare | None = None


class XIndex:
    """Built over a network index; valid as long as that is."""

    def __init__(self, base: NetworkIndex) -> None:
        self.base = base
        self.handles = {person.handle.casefold(): person for person in base.people.values()}
        self.ids = {handle: person.key for handle, person in self.handles.items()}
        self.rendered: dict[str, Any] = {}
        self._counts: dict[str, tuple[list[datetime], list[datetime]]] = {}
        self._timelines: dict[str, list[Entry]] = {}
        self.versions: dict[str, Entry] = {}
        self.of_post: dict[str, list[Entry]] = {}
        for post in base.posts.values():
            self.of_post[post.id] = entries = _versions(post)
            self.versions.update((entry.id, entry) for entry in entries)
        self.ordered = sorted(self.versions.values(), key=lambda entry: entry.key)
        self.reposts = {reshare.id: self.repost(reshare) for reshare in base.reshares.values()}
        self._conversations: dict[str, list[Entry]] | None = None
        self._documents: dict[str, Document] = {}
        self._searches: dict[str, list[Entry]] = {}
        self._mentions: dict[str, list[Entry]] | None = None

    def repost(self, reshare: Reshare) -> Entry:
        """A repost as an entry."""
        post = self.base.posts[reshare.of]
        return Entry(reshare.id, int(reshare.id), reshare.at, post, shown=reshare.at, reshare=reshare)

    def find(self, entry_id: str) -> Entry | None:
        """The version or repost with an id."""
        return self.versions.get(entry_id) or self.reposts.get(entry_id)

    def author(self, entry: Entry) -> Person | None:
        """Who wrote it, or reposted it."""
        return self.base.people.get(entry.reshare.by if entry.reshare else entry.post.author)

    def exists(self, entry: Entry, now: datetime) -> bool:
        """Whether it is there at `now`, whoever may see it."""
        if entry.shown is None or entry.shown > now or self.base.gone(self.author(entry), now):
            return False
        return self.base.exists(entry.post, now)

    def protected(self, entry: Entry) -> bool:
        """Whether only followers may see it."""
        author, original = self.author(entry), self.base.people.get(entry.post.author)
        return bool((author and author.protected) or (original and original.protected))

    def shows(self, entry: Entry, now: datetime) -> bool:
        """Whether lists show it at `now`: it exists, is public and is the newest version."""
        if entry.until is not None and entry.until <= now:
            return False
        return self.exists(entry, now) and not self.protected(entry)

    def current(self, post: Post, now: datetime) -> Entry:
        """The newest version at `now`."""
        entries = self.of_post[post.id]
        return next((entry for entry in reversed(entries) if entry.at <= now), entries[0])

    def history(self, entry: Entry, now: datetime) -> list[str]:
        """The ids of all versions at `now`, oldest first."""
        if entry.reshare is not None:
            return [entry.id]
        return [one.id for one in self.of_post[entry.post.id] if one.number == 0 or one.at <= now]

    def search(self, source: str) -> list[Entry]:
        """Every version that a query ever matches, by id; raises QueryError."""
        if source not in self._searches:
            query = parse(source)
            if len(self._searches) >= CACHED_QUERIES:
                self._searches.clear()
            found = [entry for entry in self._candidates(query) if query.matches(self._document(entry))]
            self._searches[source] = [entry for entry in found if not self.protected(entry)]
        return self._searches[source]

    def mentioning(self, handle: str) -> list[Entry]:
        """Every version that mentions a handle, by id."""
        if self._mentions is None:
            self._mentions = defaultdict(list)
            for entry in self.ordered:
                for name in {match.group(1).casefold() for match in HANDLE.finditer(entry.text)}:
                    self._mentions[name].append(entry)
        return self._mentions.get(handle.casefold(), [])

    def timeline(self, person: Person) -> list[Entry]:
        """What an account posted and reposted, by id."""
        if person.key not in self._timelines:
            self._timelines[person.key] = self._posted(person)
        return self._timelines[person.key]

    def _posted(self, person: Person) -> list[Entry]:
        posts, reshares = self.base.by_author.get(person.key), self.base.reshares_by.get(person.key)
        entries = [entry for post in (posts.items if posts else []) for entry in self.of_post[post.id]]
        entries += [self.reposts[reshare.id] for reshare in (reshares.items if reshares else [])]
        return sorted(entries, key=lambda entry: entry.key)

    def posted(self, person: Person, now: datetime) -> int:
        """How many posts and reposts an account shows at `now`; what became of the originals is not looked at."""
        if person.key not in self._counts:
            firsts = [entry for entry in self.timeline(person) if entry.number == 0]
            shown = sorted(entry.shown for entry in firsts if entry.shown is not None)
            own = (entry.post for entry in firsts if entry.reshare is None)
            self._counts[person.key] = shown, sorted(post.deleted_at for post in own if post.deleted_at)
        shown, deleted = self._counts[person.key]
        return bisect_right(shown, now) - bisect_right(deleted, now)

    def newest(self, person: Person, now: datetime) -> Entry | None:
        """The newest post or repost of an account at `now`."""
        return next((entry for entry in reversed(self.timeline(person)) if self.exists(entry, now)), None)

    def reposts_of(self, post: Post, now: datetime) -> list[Entry]:
        """The reposts of a post at `now`, by id."""
        entries = [self.reposts[reshare.id] for reshare in self.base.reshares_until(post.id, now)]
        return sorted(entries, key=lambda entry: entry.key)

    def quotes_of(self, post: Post, now: datetime) -> list[Entry]:
        """The quotes of a post at `now`, by id."""
        entries = [self.current(quote, now) for quote in self.base.alive(self.base.quotes.get(post.id), now)]
        return sorted(entries, key=lambda entry: entry.key)

    def _candidates(self, query: Query) -> Sequence[Entry]:
        if query.conversation is None:
            return self.ordered
        if self._conversations is None:
            self._conversations = defaultdict(list)
            for entry in self.ordered:
                self._conversations[self.base.root(entry.post)].append(entry)
        return self._conversations.get(query.conversation, [])

    def _document(self, entry: Entry) -> Document:
        if entry.id not in self._documents:
            self._documents[entry.id] = self._read(entry)
        return self._documents[entry.id]

    def _read(self, entry: Entry) -> Document:
        post, text = entry.post, entry.text
        author = self.base.people.get(post.author)
        parent = self.base.posts.get(post.reply_to) if post.reply_to else None
        addressee = self.base.people.get(parent.author) if parent else None
        return Document(
            text=text.casefold(),
            words=words_of(text),
            hashtags=frozenset(match.group(1).casefold() for match in HASHTAG.finditer(text)),
            cashtags=frozenset(match.group(1).casefold() for match in CASHTAG.finditer(text)),
            mentions=frozenset(match.group(1).casefold() for match in HANDLE.finditer(text)),
            urls=tuple(match.group(0).casefold() for match in ADDRESS.finditer(text)),
            lang=post.lang or "und",
            author=_names(author),
            addressee=_names(addressee),
            conversation=self.base.root(post),
            parent=post.reply_to,
            quoted=post.quote_of,
            verified=bool(author and author.verified),
        )


def newest_first(entries: Sequence[Entry], low: int, high: int, wanted: Callable[[Entry], bool]) -> Iterator[Entry]:
    """Entries with low < key < high that are wanted, newest first."""
    position = bisect_left(entries, high, key=lambda entry: entry.key)
    while position > 0:
        position -= 1
        entry = entries[position]
        if entry.key <= low:
            return
        if wanted(entry):
            yield entry


def _names(person: Person | None) -> frozenset[str]:
    return frozenset((person.handle.casefold(), person.key)) if person else frozenset()


def _versions(post: Post) -> list[Entry]:
    edits = sorted(post.edits, key=lambda edit: edit.at)
    entries = [Entry(post.id, int(post.id), post.created_at, post, post.text, 0, appears(post))]
    for number, edit in enumerate(edits, start=1):
        version = x_id(edit.at, int(post.id) + number)
        entries[-1].until = edit.at
        shown = max(edit.at, appears(post))
        entries.append(Entry(version, int(version), edit.at, post, edit.text, number, shown))
    return entries
