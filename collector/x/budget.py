"""Money, planned before it is spent: X charges for every post and account read, once a UTC day each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from collector.errors import BudgetSpent
from collector.fields import Fields, digits, either, items, mapping
from config.settings import XSettings
from store.records import Spend


class Spent(NamedTuple):
    """What reading has taken."""

    requests: float = 0
    posts: float = 0
    usd: float = 0.0


Unit = Literal["requests", "posts", "usd"]
UNITS: tuple[Unit, ...] = ("requests", "posts", "usd")
SpentSince = Callable[[str, str], Spent]
"""What the store's table `spend` says: (network, UTC day `YYYY-MM-DD`) -> spent since the beginning of that day."""
LEAST_PAGE = 10
DAYS_IN_MONTH = 30
ROUNDING = 1e-9


def nothing_spent(network: str, day: str) -> Spent:
    """For a source without a store, such as in `check`."""
    return Spent()


def next_day(now: datetime) -> datetime:
    """The next UTC midnight."""
    return (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def cycle(now: datetime, day: int) -> tuple[datetime, datetime]:
    """The beginning and the end of the billing cycle that begins on this day (1..28) of each month."""
    start = now.replace(day=day, hour=0, minute=0, second=0, microsecond=0)
    if start > now:
        start = (start.replace(day=1) - timedelta(days=1)).replace(day=day)
    return start, (start.replace(day=1) + timedelta(days=32)).replace(day=day)


@dataclass(frozen=True, slots=True)
class Period:
    """A UTC day or a billing cycle: its limits, of which those that are not set are infinite, and what is spent."""

    name: str
    settings: dict[Unit, str]
    limits: Spent
    spent: Spent
    until: datetime

    def left(self, unit: Unit) -> float:
        """Of one unit."""
        return float(getattr(self.limits, unit) - getattr(self.spent, unit))

    def over(self, unit: Unit) -> BudgetSpent:
        """What is said when it is not enough."""
        limit, spent = (_amount(unit, getattr(each, unit)) for each in (self.limits, self.spent))
        told = f"the budget of {limit} for this {self.name} is spent ({spent}), so X is not asked."
        remedy = f"Raise x.{self.settings[unit]}, or watch fewer topics"
        return BudgetSpent("x", told, self.until, f"{remedy}; what was missed is read then, up to seven days back.")


DAY: dict[Unit, str] = {"requests": "daily_requests", "posts": "daily_posts", "usd": "daily_budget_usd"}
CYCLE: dict[Unit, str] = {"requests": "cycle_requests", "posts": "cycle_posts", "usd": "cycle_budget_usd"}


class Budget:
    """The spending of the UTC day and the billing cycle: the larger of what the store says and what we know of."""

    def __init__(self, settings: XSettings, spent: SpentSince = nothing_spent) -> None:
        """`spent` reads the table."""
        self.settings, self._table = settings, spent
        self.post_usd, self.user_usd = settings.price_post_usd, settings.price_user_usd
        self._day = ""
        self._read: set[str] = set()
        self._ours = Spent()

    def periods(self, now: datetime) -> list[Period]:
        """The day and the cycle; what this process has spent and not stored yet is part of both."""
        day = now.date().isoformat()
        today = self._table("x", day)
        if day != self._day:
            self._day, self._read, self._ours = day, set(), today
        ahead = Spent(*(max(0, ours - stored) for ours, stored in zip(self._ours, today, strict=True)))
        start, end = cycle(now, self.settings.cycle_day)
        since = self._table("x", start.date().isoformat())
        return [
            Period("UTC day", DAY, self._limits(DAY), _sum(today, ahead), next_day(now)),
            Period("billing cycle", CYCLE, self._limits(CYCLE), _sum(since, ahead), end),
        ]

    def _limits(self, names: dict[Unit, str]) -> Spent:
        values = (getattr(self.settings, names[unit]) for unit in UNITS)
        return Spent(*(math.inf if value is None else value for value in values))

    def left(self, now: datetime) -> float:
        """USD that may still be spent in this UTC day."""
        return min(period.left("usd") for period in self.periods(now))

    def page_size(self, now: datetime, most: int = 100) -> int:
        """How many results the rest pays for if each brings a reference and both authors; raises BudgetSpent."""
        dearest, size = 2 * (self.post_usd + self.user_usd), float(most)
        for period in self._that_may_be_asked(now):
            fits: dict[Unit, float] = {"posts": period.left("posts") / 2}
            if dearest > 0:
                fits["usd"] = period.left("usd") / dearest
            for unit, results in fits.items():
                if int(min(results, most)) < min(LEAST_PAGE, most):
                    raise period.over(unit)
                size = min(size, results)
        return int(size)

    def plan(self, now: datetime, *, posts: Iterable[str] = (), users: int = 0, requests_usd: float = 0.0) -> None:
        """Raise BudgetSpent unless reading these posts (free when read today) and accounts is within the rest."""
        periods = list(self._that_may_be_asked(now))
        unread = sum(1 for post in posts if f"post:{post}" not in self._read)
        cost = unread * self.post_usd + users * self.user_usd + requests_usd
        for period in periods:
            if cost > 0 and cost > period.left("usd") + ROUNDING:
                raise period.over("usd")
            if unread and unread > period.left("posts"):
                raise period.over("posts")

    def _that_may_be_asked(self, now: datetime) -> Iterator[Period]:
        for period in self.periods(now):
            if period.left("requests") < 1:
                raise period.over("requests")
            yield period

    def affordable(self, now: datetime, posts: Iterable[str]) -> list[str]:
        """Those of the posts, in their order, that were read today (free) or that the rest pays for."""
        periods, found = self.periods(now), []
        usd = min(period.left("usd") for period in periods) + ROUNDING
        count = min(period.left("posts") for period in periods)
        for post in posts:
            free = f"post:{post}" in self._read
            if free or (count >= 1 and (self.post_usd <= usd or self.post_usd == 0)):
                usd, count = (usd, count) if free else (usd - self.post_usd, count - 1)
                found.append(post)
        return found

    def charge(self, answer: Fields, now: datetime, requests_usd: float = 0.0) -> Spend:
        """What an answer cost; included posts and accounts count, repeats within the UTC day do not."""
        self.periods(now)
        includes = mapping(answer.get("includes"))
        data = items(answer.get("data"))
        posts = [*(i for i in data if "text" in i), *items(either(includes, "tweets", "posts"))]
        users = [*(i for i in data if "username" in i), *items(includes.get("users"))]
        new_posts, new_users = self._first("post", posts), self._first("user", users)
        usd = new_posts * self.post_usd + new_users * self.user_usd + requests_usd
        self._ours = _sum(self._ours, Spent(1, new_posts, usd))
        return Spend("x", requests=1, posts=new_posts, accounts=new_users, usd=usd)

    def _first(self, kind: str, found: Iterable[Fields]) -> int:
        keys = {f"{kind}:{key}" for item in found if (key := digits(item.get("id")))}
        new = keys - self._read
        self._read |= new
        return len(new)

    def monthly_usd(self, posts_in_week: int) -> float:
        """What a topic costs in 30 days at this pace: each post, its author, and a day's later look at its counts."""
        return posts_in_week / 7 * DAYS_IN_MONTH * (2 * self.post_usd + self.user_usd)

    def monthly_limit(self) -> tuple[float, str]:
        """The most that 30 days may cost, and the setting that says so."""
        by_day, by_cycle = self.settings.daily_budget_usd * DAYS_IN_MONTH, self.settings.cycle_budget_usd
        if by_cycle is not None and by_cycle < by_day:
            return by_cycle, "x.cycle_budget_usd"
        return by_day, "x.daily_budget_usd"


def _sum(a: Spent, b: Spent) -> Spent:
    return Spent(*(x + y for x, y in zip(a, b, strict=True)))


def _amount(unit: Unit, amount: float) -> str:
    return f"{amount:.2f} USD" if unit == "usd" else f"{amount:,.0f} {unit}"
