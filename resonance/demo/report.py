"""What the demo prints: the story beforehand, the verdicts, and a tour of what the store now knows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from resonance.demo.artifacts import Artifacts
from resonance.demo.judge import Judgement, Raised
from resonance.demo.play import Played
from sandbox.world import World
from store import Store

TOKYO = ZoneInfo("Asia/Tokyo")
KINDS = {"viral": "a post goes viral", "crisis": "a crisis", "false_start": "a false start (must stay untold)"}
EXCERPT = 34


class Report:
    """Prints to one console."""

    def __init__(self, console: Console) -> None:
        """`console` decides about colours and width."""
        self.console = console

    def story(self, world: World) -> None:
        """Beforehand: which events the story holds."""
        texts = len({post.text for post in world.posts.values()})
        self.console.print(
            f"[bold]The story[/bold]: {world.begins:%d %b} to {world.ends:%d %b %Y}, {len(world.people)} people, "
            f"{len(world.posts)} posts ({texts} distinct texts) in Japanese and English on X and Mastodon, about an "
            "invented brand.\nIt holds these events; whether they are told, and when, you are about to see:"
        )
        table = Table("begins (Tokyo)", "what", "in the story")
        for event in sorted(world.events, key=lambda e: e.begins):
            table.add_row(local(event.begins), KINDS[event.kind], f"{event.title_en} / {event.title_ja}")
        self.console.print(table)

    def verdicts(self, judgement: Judgement) -> None:
        """Hits, misses and false alarms."""
        table = Table(
            "event", "began (Tokyo)", "raised", "delay", "verdict", title="Events and alerts", title_justify="left"
        )
        for verdict in judgement.verdicts:
            told = verdict.raised
            word = _verdict_word(verdict.should_be_told, bool(told))
            table.add_row(
                verdict.event.title_en,
                local(verdict.event.begins),
                "\n".join(f"#{r.id} {r.rule} {local(r.at)}" for r in told) or "-",
                minutes(verdict.delay) if verdict.delay is not None else "-",
                word,
            )
        for alarm in judgement.false_alarms:
            if not any(alarm in v.raised for v in judgement.verdicts):
                table.add_row("-", "-", f"#{alarm.id} {alarm.rule} {local(alarm.at)}", "-", "[red]false alarm[/red]")
        self.console.print(table)
        self.console.print(
            f"[bold]{judgement.hits} hits, {judgement.misses} misses, "
            f"{len(judgement.false_alarms)} false alarms.[/bold]"
        )

    def mood(self, store: Store, topic: str) -> None:
        """Posts and mood by day."""
        table = Table("day (Tokyo)", "posts", "reshares", "negative", "neutral", "positive", "negative share")
        for row in store.query("SELECT * FROM v_topic_daily WHERE topic = ? ORDER BY day_local", (topic,)):
            share = (
                "-"
                if row["negative_share"] is None
                else f"{100 * row['negative_share']:.0f}% {_bar(row['negative_share'])}"
            )
            numbers = [str(row[name]) for name in ("posts", "reshares", "negative", "neutral", "positive")]
            table.add_row(row["day_local"], *numbers, share)
        self._titled(f"Posts and mood of {topic}, the brand's own posts left out", table)

    def people(self, store: Store, topic: str) -> None:
        """Resonance users, with their follower rank beside them."""
        table = Table("rank", "account", "resonance (90%)", "followers", "follower rank", "community")
        rows = store.query(
            "SELECT v.*, c.label FROM v_resonance_latest v LEFT JOIN communities c ON c.run_id = v.run_id "
            "AND c.community = v.subcommunity WHERE topic = ? ORDER BY rank LIMIT 8",
            (topic,),
        )
        for row in rows:
            table.add_row(
                str(row["rank"]),
                escape(f"@{row['handle'] or row['account_id']}"),
                f"{row['resonance']:.0f} ({row['low']:.0f} to {row['high']:.0f})",
                "?" if row["followers"] is None else f"{row['followers']:,}",
                "?" if row["follower_rank"] is None else str(row["follower_rank"]),
                escape(row["label"] or "-"),
            )
        self._titled("Resonance users: whom the communities answer, not who has the most followers", table)

    def cascades(self, store: Store, topic: str, raised: list[Raised]) -> None:
        """The largest cascades, with the forecast made when they were first told (or first made)."""
        told = {r.subject: r.at for r in raised}
        table = Table("began (Tokyo)", "post", "seen then", "forecast (90%)", "made after", "reshares now")
        for row in store.query(
            "SELECT c.post_id, c.started_at, c.size, p.text FROM cascades c JOIN posts p ON p.id = c.post_id "
            "WHERE c.topic = ? AND EXISTS "
            "(SELECT 1 FROM forecasts f WHERE f.topic = c.topic AND f.post_id = c.post_id) "
            "ORDER BY c.size DESC LIMIT 6",
            (topic,),
        ):
            forecast = store.query(
                "SELECT * FROM forecasts WHERE topic = ? AND post_id = ? AND made_at >= ? ORDER BY made_at LIMIT 1",
                (
                    topic,
                    row["post_id"],
                    told[row["post_id"]].strftime("%Y-%m-%dT%H:%M:%SZ") if row["post_id"] in told else "",
                ),
            )
            if forecast:
                f = forecast[0]
                table.add_row(
                    local(datetime.fromisoformat(row["started_at"])),
                    escape(" ".join(row["text"].split())[:EXCERPT]),
                    str(f["observed"] - 1),
                    f"{f['size'] - 1:.0f} ({f['low'] - 1:.0f} to {f['high'] - 1:.0f})",
                    minutes(timedelta(seconds=f["age_seconds"])),
                    str(row["size"] - 1),
                )
        self._titled("Cascades: reshares and quotes, with the first forecast after they were noticed", table)

    def files(self, artifacts: Artifacts, first: int) -> None:
        """What the receivers got; `first` messages of each kind are named."""
        table = Table("what arrived", "file")
        seen: dict[str, int] = {}
        for kind, path in artifacts.files:
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] <= first:
                table.add_row(kind, str(path))
        self._titled("What the Slack channel and the mailbox received", table)

    def closing(self, played: Played, folder: Path, seconds: float) -> None:
        """Where everything is, and what to try next."""
        database = played.settings.database
        console = self.console
        console.print(
            f"\n[bold]The SQLite file[/bold]: {database}  (its tables and views: docs/schema.md)\nThree to try:"
        )
        for sql in (
            "SELECT rank, handle, resonance, follower_rank FROM v_resonance_latest ORDER BY rank LIMIT 10",
            "SELECT hour_local, posts, negative_share FROM v_topic_hourly ORDER BY hour_utc DESC LIMIT 24",
            "SELECT id, rule, severity, began_at, opened_at, state FROM incidents WHERE historic = 0",
        ):
            console.print(f'  sqlite3 -box {database} "{sql}"', soft_wrap=True, highlight=False, markup=False)
        console.print('  (no sqlite3? `.venv/bin/sqlite-utils query FILE "SQL" --table` does the same)', markup=False)
        for problem in dict.fromkeys(played.problems):
            console.print(f"[yellow]Noticed on the way[/yellow]: {escape(problem)}")
        console.print(
            f"\n{played.scored} posts scored, {played.requests} requests over HTTP, {seconds:.0f} s in all. "
            f"Everything is in {folder}/.\nNext: resonance init && resonance check && resonance run"
        )

    def _titled(self, title: str, table: Table) -> None:
        self.console.print(f"\n[bold]{title}[/bold]")
        self.console.print(table)


def _verdict_word(should: bool, told: bool) -> str:
    if should:
        return "[green]hit[/green]" if told else "[red]miss[/red]"
    return "[red]false alarm[/red]" if told else "[green]rightly silent[/green]"


def local(moment: datetime) -> str:
    """A time in Tokyo, for people."""
    return f"{moment.astimezone(TOKYO):%d %b %H:%M}"


def minutes(span: timedelta) -> str:
    """A span of time, for people."""
    whole = round(span.total_seconds() / 60)
    return f"{whole} min" if whole < 120 else f"{whole / 60:.1f} h"


def _bar(share: float, width: int = 20) -> str:
    return "#" * round(share * width)
