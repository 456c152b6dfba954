"""`resonance alerts answers`: the pages behind the links in emails, without the daemon, to try them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from alerts.answers import links
from alerts.answers.key import key_of
from alerts.read import incident
from resonance.answering import AnswerServer
from resonance.commands.alerts_common import example, now, opened, places


@click.command(epilog=example("resonance alerts answers 12"))
@places
@click.argument("incident_id", metavar="ID", type=int)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where to listen; a free port when left out.")
@click.option("--channel", default="email", help="The channel that the answer is put down to when no name is given.")
def answers(config: Path | None, db: Path | None, incident_id: int, port: int, channel: str) -> None:
    """Open the pages that links in an email about an incident open, on this computer, until Ctrl-C."""
    store, settings = opened(config, db)
    try:
        subject, key = incident(store, incident_id, evidence=0), key_of(settings)
        ends = now() + timedelta(days=settings.dashboard.link_days)
        with AnswerServer(store, settings, now, host="127.0.0.1", port=port, base_url="") as server:
            for verb in links.VERBS:
                click.echo(links.url(server.url, links.token(key, subject, verb, channel, ends)))
            click.echo("What is answered there counts. Ctrl-C ends it.", err=True)
            server.wait()
    finally:
        store.close()
