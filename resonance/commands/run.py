"""`resonance run`: the daemon in the foreground, or one cycle."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from collector.base import Source
from config import Settings
from resonance.app import log_to_stderr, open_store, settings_from, utc_now
from resonance.commands.options import config_option
from store import Store


@click.command(epilog="Example: resonance run --once && resonance status")
@config_option
@click.option("--once", is_flag=True, help="Do one cycle and end; exit code 1 when a source or channel failed.")
def run(config: Path | None, once: bool) -> None:
    """Collect, score, analyse and alert, in the foreground, until SIGTERM or Ctrl-C."""
    from collector.sources import sources
    from resonance.daemon import Daemon
    from resonance.lock import InstanceLock
    from resonance.spent import spent_in
    from store.topics import sync_topics

    log_to_stderr()
    settings = settings_from(config)
    store = open_store(settings)
    with InstanceLock(store.path):
        sync_topics(store, settings.topics, utc_now())
        found = sources(settings, spent_in(store))
        _warn(found)
        sys.exit(_once(store, settings, found) if once else Daemon(settings, store, found, config).run())


def _warn(found: Sequence[Source]) -> None:
    if not found:
        click.echo(
            "No source is configured: nothing will be collected. Add a [[mastodon]] instance or an X token "
            "(`resonance check` says how), or bring archives with `resonance import FILE`.",
            err=True,
        )


def _once(store: Store, settings: Settings, found: Sequence[Source]) -> int:
    """One cycle; SIGTERM ends it between two pages or two stages."""
    from resonance.cycle import run_cycle

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    cycle = run_cycle(store, settings, found, utc_now(), stop)
    for source in found:
        source.close()
    for job in cycle.jobs:
        click.echo(f"{job.name:<28} {job.error or job.result}")
    return cycle.exit_code
