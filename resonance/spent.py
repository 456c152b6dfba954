"""What has been spent, for the budgets of the sources."""

from __future__ import annotations

from collector.x.budget import Spent, SpentSince
from store import Store


def spent_in(store: Store) -> SpentSince:
    """A function (network, UTC day `YYYY-MM-DD`) -> what was spent since, that reads the table `spend`."""

    def spent(network: str, day: str) -> Spent:
        row = store.query(
            "SELECT COALESCE(SUM(requests), 0), COALESCE(SUM(posts), 0), COALESCE(SUM(usd), 0.0) FROM spend "
            "WHERE network = ? AND day_utc >= ?",
            (network, day),
        )[0]
        return Spent(*row)

    return spent
