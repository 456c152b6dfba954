"""`resonance run`: the daemon in the foreground, or one cycle."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import click

from resonance.app import log_to_stderr, open_store, settings_from, utc_now
from resonance.commands.options import config_option


@click.command(epilog="Example: resonance run --once && resonance status")
@config_option
@click.option("--once", is_flag=True, help="Do one cycle and end; exit code 1 when a source or channel failed.")
def run(config: Path | None, once: bool) -> None:
    """Collect, score, analyse and alert, in the foreground, until SIGTERM or Ctrl-C."""
    from collector.sources import sources
    from resonance.daemon import Daemon
    from resonance.spent import spent_in
    from store.topics import sync_topics

    log_to_stderr()
    settings = settings_from(config)
    store = open_store(settings)
    sync_topics(store, settings.topics, utc_now())
    found = sources(settings, spent_in(store))
    if not found:
        click.echo(
            "No source is configured: nothing will be collected. Add a [[mastodon]] instance or an X token "
            "(`resonance check` says how), or bring archives with `resonance import FILE`.",
            err=True,
        )
    if not once:
        sys.exit(Daemon(settings, store, found, config).run())
    from resonance.cycle import run_cycle
    from resonance.lock import InstanceLock

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with InstanceLock(store.path):
        cycle = run_cycle(store, settings, found, utc_now(), stop)
    for job in cycle.jobs:
        click.echo(f"{job.name:<28} {job.error or job.result}")
    sys.exit(cycle.exit_code)
