"""From a seed to a whole world."""

from __future__ import annotations

from sandbox.story import events, everyday
from sandbox.story.stage import Stage
from sandbox.world import World


def build(seed: int = 7) -> World:
    """The two weeks of the story; the same seed gives the same world."""
    return rehearse(seed).world


def rehearse(seed: int = 7) -> Stage:
    """The same, with what the author meant: `moods` and `cast`."""
    stage = Stage(seed)
    everyday.tell(stage)
    events.tell(stage)
    return stage
