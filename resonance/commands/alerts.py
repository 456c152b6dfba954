"""`resonance alerts`: what was raised, what people did with it, and whether the channels work."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from alerts import mutes as silence
from alerts import outbox, people
from alerts import thresholds as learning
from alerts.compose import compose
from alerts.queueing import zone_of
from alerts.read import Incident, incident
from alerts.rules import HABITS
from alerts.safe import line, terminal
from alerts.sample import send_test
from alerts.texts import plain
from alerts.thresholds import Moved
from config import Settings, load
from resonance.commands.alerts_replay import replay
from store.db import Store
from store.records import iso

Command = Callable[..., Any]


def _example(text: str) -> str:
    return f"Example: {text}"


def _places(command: Command) -> Command:
    """--config and --db, as every verb here takes them."""
    command = click.option(
        "--db", type=click.Path(path_type=Path, dir_okay=False), help="SQLite file, instead of the configured one."
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Configuration; ./resonance.toml when left out.",
    )(command)


def _by(command: Command) -> Command:
    return click.option("--by", default=None, help="Who you are; your login name when left out.")(command)


def _settings(config: Path | None, db: Path | None) -> Settings:
    """With --db a configuration is welcome, but not needed."""
    if db is not None and config is None and not Path("resonance.toml").exists():
        return Settings(database=db)
    settings = load(config)
    return settings if db is None else settings.model_copy(update={"database": db})


def _open(config: Path | None, db: Path | None) -> tuple[Store, Settings]:
    settings = _settings(config, db)
    return Store.open(settings.database, create=False), settings


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _now() -> datetime:
    return datetime.now(UTC)


def _print_json(rows: Iterable[Any]) -> None:
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False, default=str))


@click.group(epilog=_example("resonance alerts list"))
def alerts() -> None:
    """See alerts, answer them, and test the channels."""


@alerts.command("list", epilog=_example("resonance alerts list --all --json"))
@_places
@click.option("--all", "everything", is_flag=True, help="Also what is over, muted or historic.")
@click.option(
    "--maybe-sent", is_flag=True, help="Deliveries that failed or of which nobody knows whether they arrived."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(config: Path | None, db: Path | None, everything: bool, maybe_sent: bool, as_json: bool) -> None:
    """What is going on, the newest first; or deliveries to settle."""
    store, _ = _open(config, db)
    try:
        rows = _unsettled(store) if maybe_sent else _incidents(store, everything)
    finally:
        store.close()
    if as_json:
        _print_json(rows)
    elif not rows:
        click.echo("Nothing to settle." if maybe_sent else "Nothing is going on.", err=True)
    elif maybe_sent:
        for row in rows:
            click.echo(terminal("{id:>6}  {state:<10}  {channel:<16}  incident {incident_id}  {error}".format(**row)))
        click.echo("Arrived? Then nothing is to be done. If not: `resonance alerts resend ID`.", err=True)
    else:
        for row in rows:
            click.echo(terminal(_line(row)))


def _line(row: dict[str, Any]) -> str:
    state = "historic" if row["historic"] else row["state"]
    subject = "" if row["subject"] == row["topic"] else f"  {line(row['subject'], 60)}"
    return "{id:>6}  {opened_at}  {severity:<8}  {st:<12}  {rule:<15}  {topic}{subject}".format(
        **{**row, "st": state, "topic": row["topic"] or "-", "subject": subject}
    )


def _incidents(store: Store, everything: bool) -> list[dict[str, Any]]:
    where = "" if everything else "WHERE state <> 'resolved' AND historic = 0"
    columns = (
        "id, topic, rule, subject, state, historic, severity, began_at, opened_at, last_active_at, resolved_at, "
        "acknowledged_by, facts"
    )
    rows = [dict(r) for r in store.query(f"SELECT {columns} FROM incidents {where} ORDER BY opened_at DESC, id DESC")]
    for row in rows:
        row["historic"] = bool(row["historic"])
        row["facts"] = {k: v for k, v in json.loads(row["facts"]).items() if k != "series"}
    return rows


def _unsettled(store: Store) -> list[dict[str, Any]]:
    sql = (
        "SELECT id, incident_id, channel, kind, state, attempts, created_at, error FROM deliveries "
        "WHERE state IN ('maybe_sent', 'failed') ORDER BY id DESC"
    )
    return [dict(row) for row in store.query(sql)]


@alerts.command(epilog=_example("resonance alerts show 12"))
@_places
@click.argument("incident_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(config: Path | None, db: Path | None, incident_id: int, as_json: bool) -> None:
    """One incident: what it says, the posts behind it, what happened to it, its deliveries."""
    store, settings = _open(config, db)
    try:
        found = incident(store, incident_id, evidence=1000 if as_json else 5)
    finally:
        store.close()
    if as_json:
        _print_json([_as_dict(found)])
        return
    click.echo(plain(compose(settings, found, "opened", _now())))
    for note in found.notes:
        click.echo(
            terminal(f"{note['at']}  {note['kind']:<12}  {note['by'] or 'resonance'}  {line(note['note'], 300)}")
        )
    for sent in found.deliveries:
        click.echo(
            terminal(
                f"delivery {sent['id']}  {sent['channel']}  {sent['kind']}  {sent['state']}  {sent['error'] or ''}"
            )
        )


def _as_dict(found: Incident) -> dict[str, Any]:
    told = {name: getattr(found, name) for name in Incident.__slots__ if name not in ("evidence", "related")}
    told["evidence"] = [
        {"post_id": e.post_id, "weight": e.weight, "author": e.author, "url": e.url, "text": e.text}
        for e in found.evidence
    ]
    return told


@alerts.command(epilog=_example("resonance alerts ack 12 --by hanako"))
@_places
@_by
@click.argument("incident_id", metavar="ID", type=int)
def ack(config: Path | None, db: Path | None, by: str | None, incident_id: int) -> None:
    """Take an incident, so that others know that somebody is on it."""
    _change(config, db, lambda store: people.acknowledge(store, incident_id, _who(by), _now()))
    click.echo(f"Incident {incident_id} is taken by {line(_who(by))}.")


@alerts.command(epilog=_example('resonance alerts resolve 12 --note "answered on X"'))
@_places
@_by
@click.argument("incident_id", metavar="ID", type=int)
@click.option("--note", default="", help="What was done.")
def resolve(config: Path | None, db: Path | None, by: str | None, incident_id: int, note: str) -> None:
    """End an incident; it stays ended while its signal goes on."""
    _change(config, db, lambda store: people.resolve(store, incident_id, _who(by), _now(), note))
    click.echo(f"Incident {incident_id} is over.")


@alerts.command(epilog=_example("resonance alerts reopen 12"))
@_places
@_by
@click.argument("incident_id", metavar="ID", type=int)
def reopen(config: Path | None, db: Path | None, by: str | None, incident_id: int) -> None:
    """Open an incident again, without a new message."""
    _change(config, db, lambda store: people.reopen(store, incident_id, _who(by), _now()))
    click.echo(f"Incident {incident_id} is open again.")


@alerts.command(epilog=_example("resonance alerts resend 40"))
@_places
@click.argument("delivery_id", metavar="DELIVERY", type=int)
def resend(config: Path | None, db: Path | None, delivery_id: int) -> None:
    """Queue a delivery once more that failed or of which nobody knows (`alerts list --maybe-sent`)."""
    _change(config, db, lambda store: outbox.resend(store, delivery_id, _now()))
    click.echo(f"Delivery {delivery_id} is queued; `resonance run` sends it.")


@alerts.command(epilog=_example("resonance alerts feedback 12 false-alarm"))
@_places
@_by
@click.argument("incident_id", metavar="ID", type=int)
@click.argument("verdict", type=click.Choice(["helpful", "false-alarm"]))
@click.option("--note", default="", help="Why, in your words.")
def feedback(config: Path | None, db: Path | None, by: str | None, incident_id: int, verdict: str, note: str) -> None:
    """Say whether an incident was worth telling."""
    word: people.Verdict = "helpful" if verdict == "helpful" else "false_alarm"
    store, _ = _open(config, db)
    try:
        moved = people.feedback(store, incident_id, word, _who(by), note, _now())
    finally:
        store.close()
    click.echo("Thank you: noted.")
    if moved is not None:
        often = "rarer" if moved.after > moved.before else "more frequent"
        click.echo(
            f"{_moved(moved)} alerts of this kind will be {often}. "
            "`resonance alerts thresholds` shows it and takes it back."
        )


def _moved(moved: Moved) -> str:
    return f"Threshold of {moved.rule} on {moved.topic}: ×{moved.before:.2f} → ×{moved.after:.2f};"


@alerts.command(epilog=_example("resonance alerts thresholds --revert 4"))
@_places
@click.option("--all", "everything", is_flag=True, help="Also what was taken back.")
@click.option("--revert", metavar="CHANGE", type=int, default=None, help="Take back this change and those after it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def thresholds(config: Path | None, db: Path | None, everything: bool, revert: int | None, as_json: bool) -> None:
    """How people's answers moved the thresholds (0.8 to 1.5 times the sensitivity's), and taking it back."""
    store, _ = _open(config, db)
    try:
        if revert is not None:
            moved = learning.revert(store, revert, _now())
            click.echo(f"{_moved(moved)} taken back.", err=True)
        rows = learning.listed(store, everything=everything)
    finally:
        store.close()
    if as_json:
        _print_json(rows)
        return
    if not rows:
        click.echo("Every threshold is as the sensitivity sets it.", err=True)
    for row in rows:
        told = f"{row['id']:>4}  {row['at']}  {row['topic']}  {row['rule']}  ×{row['before']:.2f} → ×{row['after']:.2f}"
        state = f"taken back {row['reverted_at']}" if row["reverted_at"] else f"now ×{row['factor']:.2f}"
        click.echo(terminal(f"{told}  {row['reason']}  ({state})"))


@alerts.command(epilog=_example('resonance alerts mute --topic coffee --for 8h --reason "sale day"'))
@_places
@_by
@click.option("--topic", default=None, help="Only this topic; all when left out.")
@click.option("--rule", type=click.Choice(sorted(HABITS)), default=None, help="Only this rule; all when left out.")
@click.option("--for", "length", default=None, metavar="DURATION", help="How long: 90m, 8h, 3d, 2w.")
@click.option("--until", default=None, metavar="TIME", help="Until when, in the topic's zone: 2026-11-23T09:00.")
@click.option("--reason", required=True, help="Why, for those who wonder about the silence.")
def mute(
    config: Path | None,
    db: Path | None,
    by: str | None,
    topic: str | None,
    rule: str | None,
    length: str | None,
    until: str | None,
    reason: str,
) -> None:
    """Silence alerts for a while; incidents are recorded all the same."""
    if (length is None) == (until is None):
        raise click.UsageError("A mute has an end: give one of --for and --until.")
    store, settings = _open(config, db)
    try:
        known = {row[0] for row in store.query("SELECT slug FROM topics")} | {t.slug for t in settings.topics}
        if topic is not None and topic not in known:
            raise click.BadParameter(f"there is no topic {topic!r}", param_hint="--topic")
        try:
            end = silence.end_of(length or until or "", _now(), zone_of(settings, topic))
        except ValueError as error:
            raise click.UsageError(f"{error}.") from None
        number = silence.mute(store, topic, rule, end, _who(by), reason, _now())
    finally:
        store.close()
    click.echo(f"Mute {number}: {topic or 'every topic'}, {rule or 'every rule'}, until {iso(end)}.")


@alerts.command(epilog=_example("resonance alerts unmute 3"))
@_places
@click.argument("mute_id", metavar="MUTE", type=int)
def unmute(config: Path | None, db: Path | None, mute_id: int) -> None:
    """End a mute now."""
    _change(config, db, lambda store: silence.unmute(store, mute_id, _now()))
    click.echo(f"Mute {mute_id} is over.")


@alerts.command(epilog=_example("resonance alerts mutes --all"))
@_places
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def mutes(config: Path | None, db: Path | None, everything: bool, as_json: bool) -> None:
    """What is silenced, until when, by whom and why, and how many incidents it kept silent."""
    store, _ = _open(config, db)
    try:
        rows = silence.listed(store, _now(), everything=everything)
    finally:
        store.close()
    if as_json:
        _print_json(rows)
    elif not rows:
        click.echo("Nothing is muted.", err=True)
    for row in [] if as_json else rows:
        what = f"{row['topic'] or 'every topic'}, {row['rule'] or 'every rule'}"
        end = "until" if row["holds"] else "ended"
        told = f"{row['id']:>4}  {what}  {end} {row['until']}  {row['by']}: {row['reason']}"
        click.echo(terminal(f"{told}  ({row['silenced']} incidents silenced)"))


@alerts.command(epilog=_example("resonance alerts test"))
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Configuration; ./resonance.toml if none."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a channel.")
def test(config: Path | None, as_json: bool) -> None:
    """Send a sample to every channel and say what became of it."""
    settings = load(config)
    if not settings.channels:
        click.echo("No channel is configured; [[channels]] in the configuration names them.", err=True)
        sys.exit(1)
    results = send_test(settings, _now())
    if as_json:
        _print_json({"channel": r.channel, "ok": r.ok, "detail": r.detail} for r in results)
    else:
        for result in results:
            click.echo(f"{result.channel:<16}  {'accepted' if result.ok else result.detail}")
    if not all(result.ok for result in results):
        sys.exit(1)


def _change(config: Path | None, db: Path | None, work: Callable[[Store], None]) -> None:
    store, _ = _open(config, db)
    try:
        work(store)
    finally:
        store.close()


alerts.add_command(replay)
