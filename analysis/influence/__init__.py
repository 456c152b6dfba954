"""How much accounts move others."""

from analysis.influence.exclude import REASONS, Exclusions, LeftOut, counted
from analysis.influence.giveaway import is_giveaway
from analysis.influence.records import AccountResonance
from analysis.influence.score import HALF_LIVES, WEIGHTS, score_accounts

__all__ = [
    "HALF_LIVES",
    "REASONS",
    "WEIGHTS",
    "AccountResonance",
    "Exclusions",
    "LeftOut",
    "counted",
    "is_giveaway",
    "score_accounts",
]
