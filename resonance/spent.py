"""What has been spent today, for the budgets of the sources."""

from __future__ import annotations

from collections.abc import Callable

from store import Store


def spent_in(store: Store) -> Callable[[str, str], float]:
    """A function (network, UTC day `YYYY-MM-DD`) -> USD that reads the table `spend`."""

    def spent(network: str, day: str) -> float:
        usd = store.one("SELECT usd FROM spend WHERE network = ? AND day_utc = ?", (network, day))
        return float(usd or 0.0)

    return spent
