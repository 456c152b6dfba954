"""`resonance alerts`: what was raised, what people did with it, and whether the channels work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from alerts import outbox, people
from alerts.compose import compose
from alerts.read import Incident, incident
from alerts.safe import line, terminal
from alerts.sample import send_test
from alerts.texts import plain
from config import load
from resonance.commands.alerts_answers import answers
from resonance.commands.alerts_common import by_option, change, example, now, opened, places, print_json, who
from resonance.commands.alerts_replay import replay
from resonance.commands.alerts_silence import moved_words, mute, mutes, thresholds, unmute
from store.db import Store


@click.group(epilog=example("resonance alerts list"))
def alerts() -> None:
    """See alerts, answer them, and test the channels."""


@alerts.command("list", epilog=example("resonance alerts list --all --json"))
@places
@click.option("--all", "everything", is_flag=True, help="Also what is over, muted or historic.")
@click.option(
    "--maybe-sent", is_flag=True, help="Deliveries that failed or of which nobody knows whether they arrived."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(config: Path | None, db: Path | None, everything: bool, maybe_sent: bool, as_json: bool) -> None:
    """What is going on, the newest first; or deliveries to settle."""
    store, _ = opened(config, db)
    try:
        rows = _unsettled(store) if maybe_sent else _incidents(store, everything)
    finally:
        store.close()
    if as_json:
        print_json(rows)
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


@alerts.command(epilog=example("resonance alerts show 12"))
@places
@click.argument("incident_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(config: Path | None, db: Path | None, incident_id: int, as_json: bool) -> None:
    """One incident: what it says, the posts behind it, what happened to it, its deliveries."""
    store, settings = opened(config, db)
    try:
        found = incident(store, incident_id, evidence=1000 if as_json else 5)
    finally:
        store.close()
    if as_json:
        print_json([_as_dict(found)])
        return
    click.echo(plain(compose(settings, found, "opened", now())))
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


@alerts.command(epilog=example("resonance alerts ack 12 --by hanako"))
@places
@by_option
@click.argument("incident_id", metavar="ID", type=int)
def ack(config: Path | None, db: Path | None, by: str | None, incident_id: int) -> None:
    """Take an incident, so that others know that somebody is on it."""
    change(config, db, lambda store: people.acknowledge(store, incident_id, who(by), now()))
    click.echo(f"Incident {incident_id} is taken by {line(who(by))}.")


@alerts.command(epilog=example('resonance alerts resolve 12 --note "answered on X"'))
@places
@by_option
@click.argument("incident_id", metavar="ID", type=int)
@click.option("--note", default="", help="What was done.")
def resolve(config: Path | None, db: Path | None, by: str | None, incident_id: int, note: str) -> None:
    """End an incident; it stays ended while its signal goes on."""
    change(config, db, lambda store: people.resolve(store, incident_id, who(by), now(), note))
    click.echo(f"Incident {incident_id} is over.")


@alerts.command(epilog=example("resonance alerts reopen 12"))
@places
@by_option
@click.argument("incident_id", metavar="ID", type=int)
def reopen(config: Path | None, db: Path | None, by: str | None, incident_id: int) -> None:
    """Open an incident again, without a new message."""
    change(config, db, lambda store: people.reopen(store, incident_id, who(by), now()))
    click.echo(f"Incident {incident_id} is open again.")


@alerts.command(epilog=example("resonance alerts resend 40"))
@places
@click.argument("delivery_id", metavar="DELIVERY", type=int)
def resend(config: Path | None, db: Path | None, delivery_id: int) -> None:
    """Queue a delivery once more that failed or of which nobody knows (`alerts list --maybe-sent`)."""
    change(config, db, lambda store: outbox.resend(store, delivery_id, now()))
    click.echo(f"Delivery {delivery_id} is queued; `resonance run` sends it.")


@alerts.command(epilog=example("resonance alerts feedback 12 false-alarm"))
@places
@by_option
@click.argument("incident_id", metavar="ID", type=int)
@click.argument("verdict", type=click.Choice(["helpful", "false-alarm"]))
@click.option("--note", default="", help="Why, in your words.")
def feedback(config: Path | None, db: Path | None, by: str | None, incident_id: int, verdict: str, note: str) -> None:
    """Say whether an incident was worth telling."""
    word: people.Verdict = "helpful" if verdict == "helpful" else "false_alarm"
    store, _ = opened(config, db)
    try:
        answer = people.feedback(store, incident_id, word, who(by), note, now())
    finally:
        store.close()
    click.echo("Thank you: noted." if answer.noted else "You had said so already: nothing changes.")
    if (moved := answer.moved) is not None:
        often = "rarer" if moved.after > moved.before else "more frequent"
        click.echo(
            f"{moved_words(moved)} alerts of this kind will be {often}. "
            f"`resonance alerts thresholds --revert {moved.change}` takes it back."
        )


@alerts.command(epilog=example("resonance alerts test"))
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
    results = send_test(settings, now())
    if as_json:
        print_json({"channel": r.channel, "ok": r.ok, "detail": r.detail} for r in results)
    else:
        for result in results:
            click.echo(f"{result.channel:<16}  {'accepted' if result.ok else result.detail}")
    if not all(result.ok for result in results):
        sys.exit(1)


for _verb in (answers, mute, unmute, mutes, thresholds, replay):
    alerts.add_command(_verb)
