"""`resonance analyse`: the analyses of the daemon on a file of your own, JSON lines out."""

from __future__ import annotations

import click

from resonance.cli import LazyGroup

VERBS: dict[str, str] = {
    "spikes": "resonance.commands.analyse_spikes:spikes",
    "sentiment": "resonance.commands.analyse_sentiment:sentiment",
    "cascades": "resonance.commands.analyse_cascades:cascades",
    "influence": "resonance.commands.analyse_influence:influence",
    "coordination": "resonance.commands.analyse_coordination:coordination",
}


@click.group(
    cls=LazyGroup, lazy=VERBS, epilog="Example: resonance analyse spikes posts-per-hour.csv | jq 'select(.alert)'"
)
def analyse() -> None:
    """Analyse a file of your own (CSV or JSON lines, .gz too); JSON lines to stdout."""
