"""Money, planned before it is spent: X charges for every post and account read, once a UTC day each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from collector.errors import BudgetSpent
from collector.fields import Fields, digits, either, items, mapping
from store.records import Spend

SpentOn = Callable[[str, str], float]
"""What the store's table `spend` says: (network, UTC day `YYYY-MM-DD`) -> USD."""
LEAST_PAGE = 10
DAYS_IN_MONTH = 30


def nothing_spent(network: str, day: str) -> float:
    """For a source without a store, such as in `check`."""
    return 0.0


def next_day(now: datetime) -> datetime:
    """The next UTC midnight."""
    return (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


class Budget:
    """The spending of one UTC day: the larger of what the store says and what this process knows of."""

    def __init__(self, daily_usd: float, post_usd: float, user_usd: float, spent: SpentOn = nothing_spent) -> None:
        """Prices are those of one read post and one read account; `spent` reads the table."""
        self.daily_usd, self.post_usd, self.user_usd, self._table = daily_usd, post_usd, user_usd, spent
        self._day = ""
        self._read: set[str] = set()
        self._ours = 0.0

    def left(self, now: datetime) -> float:
        """USD that may still be spent in this UTC day."""
        day = now.date().isoformat()
        if day != self._day:
            self._day, self._read, self._ours = day, set(), self._table("x", day)
        return self.daily_usd - max(self._ours, self._table("x", day))

    def page_size(self, now: datetime, most: int = 100) -> int:
        """How many results the rest pays for if each brings a reference and both authors; raises BudgetSpent."""
        dearest = 2 * (self.post_usd + self.user_usd)
        size = most if dearest <= 0 else int(min(self.left(now) / dearest, most))
        if size < min(LEAST_PAGE, most):
            raise self._over(now)
        return size

    def plan(self, now: datetime, *, posts: Iterable[str] = (), users: int = 0, requests_usd: float = 0.0) -> None:
        """Raise BudgetSpent unless reading these posts (free when read today) and accounts is within the rest."""
        left = self.left(now)
        unread = sum(1 for post in posts if f"post:{post}" not in self._read)
        cost = unread * self.post_usd + users * self.user_usd + requests_usd
        if cost > 0 and cost > left + 1e-9:
            raise self._over(now)

    def affordable(self, now: datetime, posts: Iterable[str]) -> list[str]:
        """Those of the posts, in their order, that were read today (free) or that the rest pays for."""
        left, found = self.left(now) + 1e-9, []
        for post in posts:
            price = 0.0 if f"post:{post}" in self._read else self.post_usd
            if price <= left or price == 0:
                left -= price
                found.append(post)
        return found

    def charge(self, answer: Fields, now: datetime, requests_usd: float = 0.0) -> Spend:
        """What an answer cost; included posts and accounts count, repeats within the UTC day do not."""
        self.left(now)
        includes = mapping(answer.get("includes"))
        data = items(answer.get("data"))
        posts = [*(i for i in data if "text" in i), *items(either(includes, "tweets", "posts"))]
        users = [*(i for i in data if "username" in i), *items(includes.get("users"))]
        new_posts, new_users = self._first("post", posts), self._first("user", users)
        usd = new_posts * self.post_usd + new_users * self.user_usd + requests_usd
        self._ours += usd
        return Spend("x", requests=1, posts=new_posts, accounts=new_users, usd=usd)

    def _first(self, kind: str, found: Iterable[Fields]) -> int:
        keys = {f"{kind}:{key}" for item in found if (key := digits(item.get("id")))}
        new = keys - self._read
        self._read |= new
        return len(new)

    def _over(self, now: datetime) -> BudgetSpent:
        spent = self.daily_usd - self.left(now)
        told = f"the budget of {self.daily_usd:.2f} USD for this UTC day is spent ({spent:.2f} USD), so X is not asked."
        remedy = "Raise x.daily_budget_usd, or watch fewer topics; what was missed is read then, up to seven days back."
        return BudgetSpent("x", told, next_day(now), remedy)

    def monthly_usd(self, posts_in_week: int) -> float:
        """What a topic costs in 30 days at this pace: each post, its author, and a day's later look at its counts."""
        return posts_in_week / 7 * DAYS_IN_MONTH * (2 * self.post_usd + self.user_usd)
