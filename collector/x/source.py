"""X as a source: recent search per topic, timelines and mentions of accounts, refresh, check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Event

from collector.base import Check, Checkpoints, Cursor, Source, Target, stopped
from collector.errors import CollectorError, Refused
from collector.fields import count, digits, items, mapping, moment
from collector.x import refresh
from collector.x.budget import Budget, SpentSince, nothing_spent
from collector.x.client import Answer, Window, XClient
from collector.x.parse import parse
from collector.x.query import handle_of, queries
from collector.x.walk import FIRST, Ask, Walk
from config import Topic
from config.settings import XSettings
from store.records import Checkpoint, Observed, Page, Spend, from_iso, iso

ASK_AGAIN = timedelta(days=1)  # for a handle that nobody had


class XSource(Source):
    """The API v2, read with an app's token."""

    name = "x"
    network = "x"

    def __init__(self, settings: XSettings, spent: SpentSince = nothing_spent) -> None:
        """`spent` tells from the store what the day and the billing cycle have cost so far."""
        self.settings = settings
        self.budget = Budget(settings, spent)
        self.client = XClient(settings, self.budget)
        self._cost = Spend("x")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def collect(
        self, topic: Topic, checkpoints: Checkpoints, now: datetime, stop: Event | None = None
    ) -> Iterator[Page]:
        """Searches first, for they decide what counts as observed; then the accounts."""
        if "x" not in topic.sources:
            return
        walks = []
        known = moment(checkpoints.get(f"observed:{topic.slug}", {}).get("until"))
        for query in queries(topic):
            stream = f"search:{topic.slug}:{sha256(query.encode()).hexdigest()[:12]}"
            walk = Walk(
                stream,
                self._asking(self.client.search, query, now),
                dict(checkpoints.get(stream, {})),
                topic.slug,
                now,
                stop,
                sweeps=True,
                known=known,
            )
            walks.append(walk)
            yield from walk
        if walks and all(walk.complete for walk in walks):
            yield _observed(topic, walks, checkpoints, now)
        yield from self._accounts(topic, checkpoints, now, stop)

    def _accounts(self, topic: Topic, checkpoints: Checkpoints, now: datetime, stop: Event | None) -> Iterator[Page]:
        own = {handle.lower() for account in topic.own_accounts if (handle := handle_of(account))}
        others = {handle.lower() for account in topic.accounts if (handle := handle_of(account))}
        for handle in sorted(own | others):
            if stopped(stop):
                return
            key, pages = self._user_id(handle, checkpoints, now)
            yield from pages
            if key is None:
                continue
            yield from self._walk(
                f"timeline:{handle}", self._asking(self.client.timeline, key, now), checkpoints, now, stop
            )
            if handle in own:
                yield from self._walk(
                    f"mentions:{handle}", self._asking(self.client.mentions, key, now), checkpoints, now, stop
                )

    @staticmethod
    def _asking(method: Callable[[str, Window, datetime], Answer], subject: str, now: datetime) -> Ask:
        return lambda window: method(subject, window, now)

    @staticmethod
    def _walk(stream: str, ask: Ask, checkpoints: Checkpoints, now: datetime, stop: Event | None) -> Iterator[Page]:
        try:
            yield from Walk(stream, ask, dict(checkpoints.get(stream, {})), None, now, stop)
        except Refused as refusal:
            if refusal.status != 404:
                raise

    def _user_id(self, handle: str, checkpoints: Checkpoints, now: datetime) -> tuple[str | None, list[Page]]:
        """The id behind a handle, remembered: an account read costs more than a post."""
        stream = f"user:{handle}"
        known = checkpoints.get(stream, {})
        asked = moment(known.get("asked_at"))
        if known.get("id") or (asked and now - asked < ASK_AGAIN):
            return digits(known.get("id")), []
        answer = self.client.users([handle], now)
        key = next((digits(user.get("id")) for user in items(answer.body.get("data"))), None)
        page = parse(answer.body, now).page
        page.spend = answer.spend
        page.checkpoint = Checkpoint("x", stream, {"id": key, "asked_at": iso(now)})
        return key, [page]

    def refresh(self, targets: Sequence[Target], now: datetime, stop: Event | None = None) -> Iterator[Page]:
        """See collector.x.refresh."""
        yield from refresh.refresh(self.client, targets, now, stop)

    def check(self, topics: Sequence[Topic], now: datetime) -> list[Check]:
        """Ask how many posts the topics' queries found in a week: it proves the token and forecasts the cost."""
        watched = [topic for topic in topics if "x" in topic.sources]
        checks: list[Check] = []
        total = 0.0
        for topic in watched:
            try:
                posts = sum(self._posts_in_week(query, now) for query in queries(topic))
            except CollectorError as error:
                return [*checks, Check("x", False, error.told, error.remedy, error.exit_code)]
            usd = self.budget.monthly_usd(posts)
            total += usd
            checks.append(Check(f"x: {topic.slug}", True, f"{posts} posts in seven days, about {usd:.2f} USD a month."))
        return [*checks, self._verdict(total)] if watched else []

    def _posts_in_week(self, query: str, now: datetime) -> int:
        answer = self.client.counts(query, now)
        self._cost = Spend("x", requests=self._cost.requests + 1, usd=self._cost.usd + answer.spend.usd)
        meta = mapping(answer.body.get("meta"))
        return count(meta.get("total_tweet_count", meta.get("total_post_count"))) or 0

    def cost(self) -> Spend:
        """The counts that were asked for."""
        return self._cost

    def _verdict(self, monthly_usd: float) -> Check:
        allowed, setting = self.budget.monthly_limit()
        told = f"forecast {monthly_usd:.2f} USD a month, {allowed:.2f} USD allowed by {setting}."
        if monthly_usd <= allowed:
            return Check("x: cost", True, told)
        stops = "before the billing cycle ends" if "cycle" in setting else "on most days before midnight UTC"
        remedy = f"Collection will stop {stops}: raise the budget, or narrow the topics."
        return Check("x: cost", True, told, remedy)


def _observed(topic: Topic, walks: Sequence[Walk], checkpoints: Checkpoints, now: datetime) -> Page:
    """What has been read without a hole, up to the oldest of the searches' ends; of a gap, what lies on both sides."""
    stream = f"observed:{topic.slug}"
    before: Cursor = dict(checkpoints.get(stream, {}))
    start = from_iso(before["until"]) if before.get("until") else now - FIRST
    end = min(from_iso(walk.cursor["read_until"]) for walk in walks)
    gaps = [(moment(walk.cursor.get("gap_from")) or start, moment(walk.cursor.get("gap_until"))) for walk in walks]
    later = [(low, high) for low, high in gaps if high and high > start]
    periods = [(start, end)]
    if later:
        periods = [(start, min(low for low, _ in later)), (max(high for _, high in later), end)]
    page = Page(checkpoint=Checkpoint("x", stream, {"until": iso(end)}))
    page.observed += [Observed(topic.slug, "x", low, high) for low, high in periods if low < high]
    return page
