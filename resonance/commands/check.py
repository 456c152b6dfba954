"""`resonance check`: what works, what does not, and what to do about it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import click

from collector.base import Check
from config import Settings
from resonance.app import open_store, settings_from, utc_now
from resonance.commands.options import config_option, json_option
from resonance.errors import explain
from store import Store

GRAVITY = {0: 0, 1: 1, 77: 2, 78: 3}


@click.command(epilog="Example: resonance check && resonance run")
@config_option
@json_option
def check(config: Path | None, as_json: bool) -> None:
    """Try every credential and connection; for each failure say what to do. Exit code: the gravest of 78, 77, 1."""
    settings = settings_from(config)
    worst = 0
    for result in checks(settings):
        worst = max(worst, 0 if result.ok else result.exit_code or 1, key=lambda code: GRAVITY.get(code, 1))
        if as_json:
            click.echo(json.dumps(asdict(result), ensure_ascii=False))
        else:
            mark = click.style("ok  ", fg="green") if result.ok else click.style("FAIL", fg="red")
            click.echo(f"{mark}  {result.name}: {result.told}")
            if result.remedy:
                click.echo(f"      {result.remedy}")
    sys.exit(worst)


def checks(settings: Settings) -> Iterator[Check]:
    """Every check, one after the other, each as soon as it is done."""
    yield Check("configuration", True, f"{len(settings.topics)} topics, {len(settings.channels)} channels")
    if not settings.topics:
        yield Check(
            "topics", False, "nothing is watched", "Add a [[topics]] table; docs/configuration.md has every key.", 78
        )
    store, told = _store(settings)
    yield told
    yield _model(settings)
    yield from _sources(settings, store)
    yield from _channels(settings)
    yield from _pages(settings)


def _store(settings: Settings) -> tuple[Store | None, Check]:
    """The store, when it can be used, and what to say about it."""
    try:
        store = open_store(settings)
        posts = store.one("SELECT COUNT(*) FROM posts")
    except Exception as error:
        told = explain(error)
        if told is None:
            raise
        return None, Check("database", False, told.text, exit_code=told.exit_code)
    return store, Check("database", True, f"{settings.database}, {posts} posts")


def _model(settings: Settings) -> Check:
    from analysis.sentiment import ModelError, load

    try:
        scorer = load(settings.model.name, threads=settings.model.threads or None)
        label = scorer.score(["とても美味しかった"])[0].label
    except ModelError as error:
        return Check("sentiment model", False, str(error), exit_code=1)
    return Check("sentiment model", True, f"{scorer.name}, version {scorer.version}; とても美味しかった is {label}")


def _sources(settings: Settings, store: Store | None) -> Iterator[Check]:
    from collector.sources import sources
    from resonance.spent import spent_in
    from store.ingest import add_spend
    from store.records import iso

    if settings.x.bearer_token is None:
        yield Check(
            "x",
            True,
            "left out: no bearer token",
            "To read X, set X_BEARER_TOKEN (developer.x.com gives one; pay per use).",
        )
    found = sources(settings, spent_in(store)) if store else sources(settings)
    if not found:
        yield Check(
            "sources", False, "no network to read", "Add a [[mastodon]] instance: public hashtags need no account.", 78
        )
    for source in found:
        with source:
            now = utc_now()
            yield from source.check(settings.topics, now)
            if store:
                with store.write() as connection:
                    add_spend(connection, source.cost(), iso(now)[:10])


def _channels(settings: Settings) -> Iterator[Check]:
    from alerts.check import check_channels

    if not settings.channels:
        yield Check(
            "channels", True, "none: alerts stay in the database", "Add [[channels]] to get them in Slack or by email."
        )
    for result in check_channels(settings):
        yield Check(f"channel {result.name}", result.ok, result.detail, result.remedy, result.exit_code)


def _pages(settings: Settings) -> Iterator[Check]:
    """The pages that links in emails open: can links be signed, and are they safe on their way?"""
    from alerts.answers.key import key_of
    from alerts.errors import KeyUnusable

    place = settings.dashboard
    if not place.base_url:
        return
    try:
        key_of(settings)
    except KeyUnusable as error:
        yield Check("dashboard", False, str(error), exit_code=78)
        return
    parts = urlsplit(place.base_url)
    open_to_all = parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
    yield Check(
        "dashboard",
        True,
        f"links to {place.base_url}; the daemon serves them on {place.host}:{place.port}",
        "The links are not encrypted: put a reverse proxy with TLS in front (docs/alerts.md)." if open_to_all else "",
    )
