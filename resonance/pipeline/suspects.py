"""Accounts that share the same things at the same moments, again and again."""

from __future__ import annotations

from analysis.coordination import coordinated_pairs
from analysis.coordination import suspects as named
from analysis.graph import RESHARE, Interactions

WINDOW = 60.0  # seconds within which two reshares count as together


def suspects(interactions: Interactions) -> frozenset[str]:
    """Accounts of an interaction table that are suspected of coordination."""
    shares = interactions.select((interactions.kind == RESHARE) & (interactions.item >= 0))
    names = interactions.accounts
    pairs = coordinated_pairs(
        [names[s] for s in shares.source.tolist()],
        [interactions.items[i] for i in shares.item.tolist()],
        shares.time,
        WINDOW,
    )
    return named(pairs)
