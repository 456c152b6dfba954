"""How unusual a surprise is for this very series: compared with the largest surprise of each earlier day.

Counts of posts have heavier tails than any simple law. Block maxima (Gumbel 1958; Coles 2001, ch. 3) need none of its
bulk: a surprise counts in spreads above the maximum of a rather busy day of the last weeks.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from analysis.trends.calendar import Calendar, Floats

MEMORY = 28  # days
BUSY = 0.6  # quantile of the daily maxima that a surprise is compared with
PRIOR_DAYS = 28.0  # weight of the prior spread, in days
TO_SIGMA = 1.4826  # median absolute deviation to standard deviation


def against_daily_maxima(surprise: Floats, calendar: Calendar, prior_spread: float) -> Floats:
    """Spreads above the BUSY quantile of the daily maxima of earlier days; -inf while fewer than two are known.

    `prior_spread` has the unit of `surprise` and weighs as much as PRIOR_DAYS days. The first day, usually cut, and
    days without a baseline (-inf) are left out.
    """
    edges = calendar.day_edges()
    out = np.full(len(surprise), -np.inf)
    if len(surprise) == 0:
        return out
    maxima = np.maximum.reduceat(surprise, edges[:-1])
    for index, (begin, end) in enumerate(pairwise(edges.tolist())):
        past = maxima[max(1, index - MEMORY) : index]
        past = past[np.isfinite(past)]
        if len(past) < 2:
            continue
        spread = np.median(np.abs(past - np.median(past))) * TO_SIGMA
        weight = len(past) / (len(past) + PRIOR_DAYS)
        total = np.sqrt((1 - weight) * prior_spread**2 + weight * spread**2)
        out[begin:end] = (surprise[begin:end] - np.quantile(past, BUSY)) / total
    return out
