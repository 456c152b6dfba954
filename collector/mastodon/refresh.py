"""Asking an instance again about stored posts: counts, edits and removals; boosters and answers of what moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from threading import Event

from collector.base import Target, stopped
from collector.errors import NotAuthorised, Refused
from collector.fields import Fields, word
from collector.mastodon.client import GONE, LOOKUP, MastodonClient
from collector.mastodon.parse import NETWORK, accounts, parse
from store.records import Interaction, Metrics, Page, Removal, Spend

MAX_PAGES = 10  # of boosters, 80 each


def refresh(
    client: MastodonClient, domain: str | None, targets: Sequence[Target], now: datetime, stop: Event | None
) -> Iterator[Page]:
    """Counts first, for all; then who boosted and answered, in the order given.

    A deep target counts as refreshed only when that has been read too.
    """
    counts: dict[str, Metrics] = {}
    deep = {target.post_id for target in targets if target.deep}
    for begin in range(0, len(targets), LOOKUP):
        if stopped(stop):
            return
        page = _counts(client, domain, targets[begin : begin + LOOKUP], now)
        counts |= {metrics.post_id: metrics for metrics in page.metrics}
        page.refreshed = [key for key in page.refreshed if key not in deep or not _reactions(counts.get(key))]
        yield page
    for target in targets:
        metrics = counts.get(target.post_id)
        if target.deep and metrics is not None and _reactions(metrics):
            if stopped(stop):
                return
            try:
                yield from _around(client, domain, target, metrics, now)
                yield Page(refreshed=[target.post_id])
            except (Refused, NotAuthorised):
                continue  # this one post cannot be asked about; the others can


def _reactions(counts: Metrics | None) -> bool:
    return counts is not None and (counts.reshares != 0 or counts.replies != 0)


def _counts(client: MastodonClient, domain: str | None, targets: Sequence[Target], now: datetime) -> Page:
    before = client.requests
    statuses, healthy = _statuses(client, targets, now)
    found = {word(status.get("id")) for status in statuses}
    removals = []
    for target in targets:
        if healthy and target.native_id not in found:
            status = _confirmed(client, target, now)
            if status is None:
                removals.append(Removal(target.post_id, "post", "deleted"))
            elif status:
                statuses.append(status)
    page = parse(statuses, now, client.source, domain=domain).page
    page.removals += removals
    answered = {post.id for post in page.posts} | {removal.subject_id for removal in removals}
    page.refreshed = [target.post_id for target in targets if target.post_id in answered]
    page.spend = Spend(NETWORK, requests=client.requests - before, posts=len(statuses))
    return page


def _statuses(client: MastodonClient, targets: Sequence[Target], now: datetime) -> tuple[list[Fields], bool]:
    """What the instance still has, in one question where it can; and whether it answered at all."""
    try:
        return client.statuses([target.native_id for target in targets], now), True
    except Refused:
        client.instance(now)  # an older server; raises when it is down
        return [], True


def _confirmed(client: MastodonClient, target: Target, now: datetime) -> Fields | None:
    """None when a working instance says of this very status that it is gone; empty when it does not say."""
    try:
        return client.status(target.native_id, now)
    except NotAuthorised:
        return {}
    except Refused as refusal:
        return None if refusal.status in GONE else {}


def _around(
    client: MastodonClient, domain: str | None, target: Target, counts: Metrics, now: datetime
) -> Iterator[Page]:
    if counts.reshares != 0:
        yield _boosters(client, domain, target, now)
    if counts.replies != 0:
        before = client.requests
        answers, root = client.context(target.native_id, now), {target.native_id: target.post_id}
        page = parse(answers, now, client.source, domain=domain, known=root).page
        page.spend = Spend(NETWORK, requests=client.requests - before, posts=len(page.posts))
        yield _aimed(page, target)


def _boosters(client: MastodonClient, domain: str | None, target: Target, now: datetime) -> Page:
    """Those who boosted, without times: it happened after the last look, if that one and this one saw everybody."""
    before = client.requests
    people, everybody = client.boosters(target.native_id, now, MAX_PAGES)
    low = target.deep_at if target.deep_at and everybody else min(target.created_at, now)
    page = Page(accounts=accounts(people, now, client.source, domain))
    page.interactions = [
        Interaction("reshare", account.id, target.post_id, target.author_id, "", low, now)
        for account in page.accounts
        if account.opted_out is None
    ]
    page.spend = Spend(NETWORK, requests=client.requests - before, accounts=len(people))
    return page


def _aimed(page: Page, target: Target) -> Page:
    """The root is not on the page, so its author is not known there."""
    page.posts = [replace(post, conversation_id=post.conversation_id or target.post_id) for post in page.posts]
    page.interactions = [
        replace(i, target_id=i.target_id or target.author_id) if i.target_post_id == target.post_id else i
        for i in page.interactions
    ]
    return page
