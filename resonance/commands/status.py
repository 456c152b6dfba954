"""`resonance status`: what every job did last, what it waits for, and what is wrong."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from collector.x.budget import cycle
from resonance.app import open_store, settings_from, utc_now
from resonance.commands.options import config_option, json_option
from store import Store
from store.records import from_iso, iso


@click.command(epilog="Example: resonance status --json | jq 'select(.error)'")
@config_option
@json_option
def status(config: Path | None, as_json: bool) -> None:
    """Tell what every job did last, what it waits for, what is missing and what is wrong."""
    settings = settings_from(config)
    store = open_store(settings, create=False, read_only=True)
    report = gather(store, utc_now(), settings.x.cycle_day)
    if as_json:
        for kind, rows in report.items():
            for row in rows:
                click.echo(json.dumps({"kind": kind, **row}, ensure_ascii=False))
    else:
        show(report, utc_now(), str(store.path))


def gather(store: Store, now: datetime, cycle_day: int = 1) -> dict[str, list[dict[str, Any]]]:
    """Everything that status shows, by kind; the billing cycle begins on `cycle_day` of each month."""
    began = iso(cycle(now, cycle_day)[0])[:10]
    queries = {
        "topic": (
            "SELECT t.slug AS topic, t.name, (SELECT COUNT(*) FROM matches m WHERE m.topic = t.slug) AS posts, "
            "(SELECT MAX(created_at) FROM matches m WHERE m.topic = t.slug) AS newest, "
            "(SELECT MAX(end_utc) FROM observations o WHERE o.topic = t.slug) AS read_until "
            "FROM topics t WHERE t.active = 1",
            (),
        ),
        "job": ("SELECT * FROM jobs ORDER BY name", ()),
        "spend": ("SELECT * FROM spend WHERE day_utc = ?", (iso(now)[:10],)),
        "cycle": (
            "SELECT network, ? AS since, SUM(requests) AS requests, SUM(posts) AS posts, SUM(usd) AS usd FROM spend "
            "WHERE day_utc >= ? GROUP BY network",
            (began, began),
        ),
        "gap": (
            "SELECT source, topic, start_utc, end_utc, reason FROM gaps WHERE end_utc >= ? "
            "ORDER BY start_utc DESC LIMIT 20",
            (iso(now - timedelta(days=7)),),
        ),
        "delivery": ("SELECT channel, state, COUNT(*) AS deliveries FROM deliveries GROUP BY channel, state", ()),
        "incident": ("SELECT id, topic, rule, state, severity, began_at, opened_at FROM v_incidents_open", ()),
    }
    return {kind: [dict(row) for row in store.query(sql, args)] for kind, (sql, args) in queries.items()}


def show(report: dict[str, list[dict[str, Any]]], now: datetime, path: str) -> None:
    """The report as tables for people."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    console.print(f"Database: [bold]{escape(path)}[/bold]")
    topics = Table("topic", "posts", "newest post", "read until", title="Topics", title_justify="left")
    for row in report["topic"]:
        topics.add_row(row["topic"], str(row["posts"]), _ago(row["newest"], now), _ago(row["read_until"], now))
    console.print(topics)
    jobs = Table("job", "last", "did", "waits for", "wrong", title="Jobs", title_justify="left")
    for row in report["job"]:
        waits = f"{row['waits_until']}" if row["waits_until"] and from_iso(row["waits_until"]) > now else ""
        wrong = f"[red]{escape(row['error'])}[/red] ({row['failures']} in a row)" if row["error"] else ""
        jobs.add_row(row["name"], _ago(row["finished_at"], now), escape(row["result"] or ""), waits, wrong)
    console.print(jobs if report["job"] else "No job has run yet: `resonance run` starts them.")
    for row in report["spend"]:
        console.print(f"Today on {row['network']}: {row['requests']} requests, {row['posts']} posts, ${row['usd']:.2f}")
    for row in report["cycle"]:
        told = f"{row['requests']} requests, {row['posts']} posts, ${row['usd']:.2f}"
        console.print(f"Since {row['since']} on {row['network']}: {told}")
    for row in report["gap"]:
        console.print(
            f"[yellow]Missing[/yellow] {row['source']} {row['start_utc']} to {row['end_utc']}: {escape(row['reason'])}"
        )
    for row in report["delivery"]:
        if row["state"] not in ("sent", "rolled_up"):
            console.print(f"Deliveries {row['state']} at {row['channel']}: {row['deliveries']}")
    for row in report["incident"]:
        console.print(f"Open: #{row['id']} {row['rule']} {row['topic'] or ''} since {_ago(row['began_at'], now)}")


def _ago(moment: str | None, now: datetime) -> str:
    if not moment:
        return "never"
    minutes = (now - from_iso(moment)).total_seconds() / 60
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 2880 else f"{minutes / 1440:.0f} days ago"
