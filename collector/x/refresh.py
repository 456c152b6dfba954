"""Asking X again about stored posts: counts, edits and removals of all; reposts, quotes and replies of what moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event

from collector.base import Target, stopped
from collector.errors import Refused
from collector.fields import items, mapping, moment
from collector.x.client import Answer, Window, XClient
from collector.x.ids import id_at
from collector.x.parse import parse, removals, versions
from store.records import Metrics, Page

BATCH = 100
MAX_PAGES = 10  # of one question about one post in one round
KINDS = ("reshares", "quotes", "replies")
OVERLAP = timedelta(minutes=3)
OLDEST = timedelta(days=7) - timedelta(minutes=5)


def refresh(client: XClient, targets: Sequence[Target], now: datetime, stop: Event | None) -> Iterator[Page]:
    """Counts first, for all that the budget allows (what was read today is free); then what costs more, in order.

    A deep target counts as refreshed only when that has been read too. Ends with BudgetSpent when some had to wait.
    """
    paid = set(client.budget.affordable(now, [target.native_id for target in targets]))
    waiting = [target.native_id for target in targets if target.native_id not in paid]
    targets = [target for target in targets if target.native_id in paid]
    gone: set[str] = set()
    counts: dict[str, Metrics] = {}
    deep = {target.post_id for target in targets if target.deep}
    for begin in range(0, len(targets), BATCH):
        if stopped(stop):
            return
        page = _counts(client, targets[begin : begin + BATCH], now)
        gone |= {removal.subject_id for removal in page.removals}
        counts |= {metrics.post_id: metrics for metrics in page.metrics}
        page.refreshed = [
            key for key in page.refreshed if key not in deep or key in gone or not _kinds(counts.get(key))
        ]
        yield page
    for target in targets:
        kinds = _kinds(counts.get(target.post_id))
        if target.deep and target.post_id not in gone and kinds:
            if stopped(stop):
                return
            yield from _around(client, target, kinds, now)
            yield Page(refreshed=[target.post_id])
    if waiting:
        client.budget.plan(now, posts=waiting)


def _counts(client: XClient, targets: Sequence[Target], now: datetime) -> Page:
    asked = {target.native_id: target.post_id for target in targets}
    page = _lookup(client, list(asked), asked, now)
    newer = {post_id: asked[old] for old, post_id in page.stale.items() if old in asked}
    if newer:
        _merge(page.page, _lookup(client, list(newer), newer, now).page)
    return page.page


class _Looked:
    """An answer to a lookup, with the ids of newer versions where an old version was asked for."""

    def __init__(self, page: Page, stale: dict[str, str]) -> None:
        self.page, self.stale = page, stale


def _lookup(client: XClient, ids: Sequence[str], asked: dict[str, str], now: datetime) -> _Looked:
    answer = client.posts(ids, now)
    page = parse(answer.body, now).page
    page.spend = answer.spend
    page.removals += removals(answer.body, asked)
    stale = {}
    for item in items(answer.body.get("data")):
        history = versions(item)
        if history and str(item.get("id")) != history[-1]:
            stale[str(item.get("id"))] = history[-1]
    outdated = {asked[old] for old in stale if old in asked}
    page.posts = [post for post in page.posts if post.id not in outdated]
    answered = {post.id for post in page.posts} | {removal.subject_id for removal in page.removals}
    page.refreshed = [post_id for post_id in asked.values() if post_id in answered]
    return _Looked(page, stale)


def _merge(page: Page, other: Page) -> None:
    for name in ("posts", "accounts", "interactions", "metrics", "removals", "refreshed"):
        getattr(page, name).extend(getattr(other, name))
    if page.spend and other.spend:
        page.spend = type(page.spend)(
            "x",
            page.spend.requests + other.spend.requests,
            page.spend.posts + other.spend.posts,
            page.spend.accounts + other.spend.accounts,
            page.spend.usd + other.spend.usd,
        )


def _kinds(counts: Metrics | None) -> set[str]:
    """What may be there to ask about, by the counts."""
    return {kind for kind in KINDS if counts is not None and getattr(counts, kind) != 0}


def _around(client: XClient, target: Target, kinds: set[str], now: datetime) -> Iterator[Page]:
    """Who reacted."""
    known = target.deep_at - OVERLAP if target.deep_at else None
    conversation = target.post_id.removeprefix("x:")
    since = max(known or target.created_at, now - OLDEST)
    window = Window(id_at(since))
    questions: list[tuple[str, Callable[[str | None], Answer]]] = [
        ("reshares", lambda token: _reposts(client, target, token, now)),
        ("quotes", lambda token: client.quotes(target.native_id, token, now)),
        ("replies", lambda token: client.search(f"conversation_id:{conversation}", replace(window, token=token), now)),
    ]
    for kind, ask in questions:
        if kind in kinds:
            for page in _pages(ask, known, now):
                yield _aimed(page, target)


def _reposts(client: XClient, target: Target, token: str | None, now: datetime) -> Answer:
    """Reposts, all aimed at the post: the answer may name a later version, or nothing."""
    answer = client.reposts(target.native_id, token, now)
    reference = {"referenced_tweets": [{"type": "retweeted", "id": target.native_id}]}
    data = [{**item, **reference} for item in items(answer.body.get("data"))]
    return replace(answer, body={**answer.body, "data": data})


def _aimed(page: Page, target: Target) -> Page:
    """Reactions name the version that they saw; here they all aim at the post."""
    version = f"x:{target.native_id}"
    page.interactions = [
        replace(i, target_post_id=target.post_id, target_id=i.target_id or target.author_id)
        if i.target_post_id in (version, target.post_id)
        else i
        for i in page.interactions
    ]
    page.posts = [
        replace(
            post,
            reply_to_id=target.post_id if post.reply_to_id == version else post.reply_to_id,
            quote_of_id=target.post_id if post.quote_of_id == version else post.quote_of_id,
        )
        for post in page.posts
    ]
    return page


def _pages(ask: Callable[[str | None], Answer], known: datetime | None, now: datetime) -> Iterator[Page]:
    """Newest first, until a page ends before what was read last time."""
    token: str | None = None
    for _ in range(MAX_PAGES):
        try:
            answer = ask(token)
        except Refused:
            return  # this one post cannot be asked about; the others can
        page = parse(answer.body, now).page
        page.spend = answer.spend
        yield page
        token = answer.next_token
        times = [when for item in items(mapping(answer.body).get("data")) if (when := moment(item.get("created_at")))]
        if token is None or (known and times and min(times) < known):
            return
