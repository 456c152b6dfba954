"""An instance of Mastodon (or of its kin with the same API) as a source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from threading import Event

from collector.base import Check, Checkpoints, Source, Target, stopped
from collector.errors import CollectorError, FeedDisabled, NetworkDown, NotAuthorised, Refused
from collector.fields import Fields, moment, word
from collector.mastodon import refresh
from collector.mastodon.client import LOOKUP, MastodonClient, access_of
from collector.mastodon.parse import NETWORK, missing_parents, parse
from collector.mastodon.walk import FIRST, Ask, Walk
from config import Topic
from config.settings import MastodonInstance
from store.records import Checkpoint, Observed, Page, Spend, from_iso, iso
from store.text import fold

ASK_AGAIN = timedelta(days=1)
_TAG = re.compile(r"(?=\d*[^\W\d])\w{2,}")


def tags_of(topic: Topic) -> list[str]:
    """The hashtags to read: the topic's own, and its keywords and phrases as people write them in a hashtag."""
    words = (*topic.hashtags, *topic.keywords, *topic.phrases)
    tags = ("".join(word.split()) for word in words)
    found = {fold(tag): tag for tag in reversed([tag for tag in tags if _TAG.fullmatch(tag)])}
    return sorted(found.values())


class MastodonSource(Source):
    """Tag timelines, accounts and, if wanted, the whole public timeline."""

    network = NETWORK

    def __init__(self, instance: MastodonInstance, hosts: Sequence[str] = (), contact: str = "") -> None:
        """`hosts` are all configured instances: an account is read at its home if that is one, else at the first."""
        self.settings, self.name = instance, instance.host
        self.hosts = tuple(hosts) or (instance.host,)
        self.client = MastodonClient(instance, contact)
        self._instance: Fields | None = None
        self._asked_at: datetime | None = None
        self._public_at: datetime | None = None

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def collect(
        self, topic: Topic, checkpoints: Checkpoints, now: datetime, stop: Event | None = None
    ) -> Iterator[Page]:
        """Hashtags and the public timeline first, for they decide what counts as observed; then the accounts."""
        if NETWORK not in topic.sources:
            return
        walks = []
        known = moment(checkpoints.get(f"observed:{topic.slug}", {}).get("until"))
        for tag in tags_of(topic):
            self._must_show("hashtag_feeds", "hashtags", now)
            walks.append(self._walk(f"tag:{fold(tag)}", self._tag(tag, now), checkpoints, now, stop, known))
            yield from walks[-1]
        if self.settings.public_timeline:
            self._must_show("live_feeds", "the public timeline", now)
            if self._public_at != now:
                walks.append(self._walk("public", self._public(now), checkpoints, now, stop, known))
                yield from walks[-1]
                self._public_at = now
        if walks and all(walk.complete for walk in walks):
            yield self._observed(topic, walks, checkpoints, now)
        yield from self._accounts(topic, checkpoints, now, stop)

    def _tag(self, tag: str, now: datetime) -> Ask:
        return lambda paging: self.client.tag(tag, now, **paging)

    def _public(self, now: datetime) -> Ask:
        return lambda paging: self.client.public(now, **paging)

    def _statuses(self, key: str, now: datetime) -> Ask:
        return lambda paging: self.client.account_statuses(key, now, **paging)

    def _walk(
        self,
        stream: str,
        ask: Ask,
        checkpoints: Checkpoints,
        now: datetime,
        stop: Event | None,
        known: datetime | None = None,
    ) -> Walk:
        read = lambda statuses: self._page(statuses, now)  # noqa: E731
        return Walk(self.name, stream, ask, read, dict(checkpoints.get(stream, {})), now, stop, known)

    def _page(self, statuses: Sequence[Fields], now: datetime) -> Page:
        """A page with the answered statuses that are not on it, without which replies lead nowhere."""
        before = self.client.requests
        parents: list[Fields] = []
        missing = missing_parents(statuses)
        for begin in range(0, len(missing), LOOKUP):
            try:
                parents += self.client.statuses(missing[begin : begin + LOOKUP], now)
            except Refused:
                break  # an older server: replies then aim at the account only
        page = parse(statuses, now, self.name, domain=self.domain(now), context=parents).page
        asked = 1 + self.client.requests - before
        page.spend = Spend(NETWORK, requests=asked, posts=len(statuses) + len(parents))
        return page

    def about(self, now: datetime) -> Fields:
        """What the instance says about itself, asked once a day."""
        if self._instance is None or self._asked_at is None or now - self._asked_at >= ASK_AGAIN:
            try:
                self._instance = self.client.instance(now)
            except Refused:
                self._instance = {}
            self._asked_at = now
        return self._instance

    def domain(self, now: datetime) -> str | None:
        """What the instance adds to the names of its own people; None when it does not say."""
        about = self.about(now)
        named = word(about.get("domain")) or word(about.get("uri")) or ""
        return named.removeprefix("https://").removeprefix("http://").strip("/").lower() or None

    def _must_show(self, kind: str, named: str, now: datetime) -> None:
        """An empty timeline of a disabled feed looks like silence: ask what is shown."""
        access = access_of(self.about(now), kind)
        if access and access <= {"disabled"}:
            remedy = "Leave the instance out, or ask its admin."
            raise FeedDisabled(self.name, f"this instance shows {named} to nobody.", remedy)
        if access and "public" not in access and not self.client.signed_in:
            remedy = "Set access_token of this instance (scope read)."
            raise NotAuthorised(self.name, f"this instance shows {named} only with a token.", remedy)

    def _observed(self, topic: Topic, walks: Sequence[Walk], checkpoints: Checkpoints, now: datetime) -> Page:
        stream = f"observed:{topic.slug}"
        before = checkpoints.get(stream, {}).get("until")
        start = from_iso(before) if before else now - FIRST
        end = min(from_iso(walk.cursor["read_until"]) for walk in walks)
        page = Page(checkpoint=Checkpoint(self.name, stream, {"until": iso(end)}))
        if start < end:
            page.observed.append(Observed(topic.slug, NETWORK, start, end))
        return page

    def _accounts(self, topic: Topic, checkpoints: Checkpoints, now: datetime, stop: Event | None) -> Iterator[Page]:
        names = {name.lower().lstrip("@") for name in (*topic.accounts, *topic.own_accounts)}
        for name in sorted(name for name in names if "@" in name and self._reads(name, now)):
            if stopped(stop):
                return
            key, pages = self._account_id(name, checkpoints, now)
            yield from pages
            if key:
                yield from self._walk(f"account:{name}", self._statuses(key, now), checkpoints, now, stop)

    def _reads(self, name: str, now: datetime) -> bool:
        home = name.partition("@")[2]
        if home in (self.name, self.domain(now)):
            return True
        return home not in self.hosts and self.name == self.hosts[0]

    def _account_id(self, name: str, checkpoints: Checkpoints, now: datetime) -> tuple[str | None, list[Page]]:
        stream = f"user:{name}"
        known = checkpoints.get(stream, {})
        asked = moment(known.get("asked_at"))
        if known.get("id") or (asked and now - asked < ASK_AGAIN):
            return word(known.get("id")), []
        try:
            key = word(self.client.account(name, now).get("id"))
        except Refused:
            key = None  # the instance does not know it
        page = Page(checkpoint=Checkpoint(self.name, stream, {"id": key, "asked_at": iso(now)}))
        page.spend = Spend(NETWORK, requests=1, accounts=1)
        return key, [page]

    def refresh(self, targets: Sequence[Target], now: datetime, stop: Event | None = None) -> Iterator[Page]:
        """See collector.mastodon.refresh."""
        yield from refresh.refresh(self.client, self.domain(now), targets, now, stop)

    def cost(self) -> Spend:
        """The requests that were made."""
        return Spend(NETWORK, requests=self.client.requests)

    def check(self, topics: Sequence[Topic], now: datetime) -> list[Check]:
        """Ask who the instance is, whether the token is good, and whether a timeline can be read."""
        try:
            self._asked_at = None
            about = self.about(now)
            if self.client.signed_in:
                self.client.verify(now)
            watched = [topic for topic in topics if NETWORK in topic.sources]
            tag = next((tag for topic in watched for tag in tags_of(topic)), None)
            if tag is not None:
                self._must_show("hashtag_feeds", "hashtags", now)
                self.client.tag(tag, now)
            if self.settings.public_timeline:
                self._must_show("live_feeds", "the public timeline", now)
                self.client.public(now)
        except NetworkDown as error:
            remedy = f"Check that {self.settings.url} opens from this machine: the address, the network, a proxy."
            return [Check(self.name, False, error.told, remedy, error.exit_code)]
        except CollectorError as error:
            return [Check(self.name, False, error.told, error.remedy, error.exit_code)]
        read = "read a hashtag" if tag is not None else "no hashtag to read"
        account = "with a token" if self.client.signed_in else "without an account"
        return [
            Check(
                self.name, True, f"answers (version {word(about.get('version'), 60) or 'unknown'}), {read}, {account}."
            )
        ]
