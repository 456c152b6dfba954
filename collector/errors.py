"""What can go wrong at a network, and what to do about it.

CollectorError              exit code 1
├── NotAuthorised           the network refuses the token, or asks for one (exit code 77)
├── Deferred                not now; ask again at `until`
│   ├── RateLimited         the network's window is used up
│   ├── UsageCapped         the plan's posts of this billing cycle are used up
│   └── BudgetSpent         our own limit for this UTC day or billing cycle is reached
├── NetworkDown             no answer, or the server says that it is broken
├── FeedDisabled            the instance does not show this timeline to readers like us: silence would be a lie
├── Refused                 the network does not accept the question
└── BadAnswer               an answer that cannot be understood

Messages never hold tokens, addresses with credentials, or words of posts. Nothing here sleeps: the caller goes on with
other work and asks again.
"""

from __future__ import annotations

from datetime import datetime

from store.records import iso


class CollectorError(Exception):
    """A source could not be read; `source` names it, `told` says what happened and `remedy` what to do."""

    exit_code = 1

    def __init__(self, source: str, told: str, remedy: str = "") -> None:
        """`told` and `remedy` are whole sentences."""
        super().__init__(f"{source}: {told} {remedy}".strip())
        self.source, self.told, self.remedy = source, told, remedy


class NotAuthorised(CollectorError):
    """The network refuses the token, or asks for one."""

    exit_code = 77


class Deferred(CollectorError):
    """Not now: ask again at `until`."""

    def __init__(self, source: str, told: str, until: datetime, remedy: str = "") -> None:
        """`until` is the earliest time of the next request, UTC."""
        super().__init__(source, f"{told} It goes on at {iso(until)}.", remedy)
        self.until = until


class RateLimited(Deferred):
    """The network's window of requests is used up."""


class UsageCapped(Deferred):
    """The plan's posts of this billing cycle are used up."""


class BudgetSpent(Deferred):
    """Our own limit of money, posts or requests for this UTC day or billing cycle is reached."""


class NetworkDown(CollectorError):
    """No answer, or the server says that it is broken."""


class FeedDisabled(CollectorError):
    """The instance does not show this timeline to readers like us."""


class Refused(CollectorError):
    """The network does not accept the question; `status` is the HTTP status."""

    def __init__(self, source: str, told: str, remedy: str = "", *, status: int = 400) -> None:
        """`told` may quote the network's own message."""
        super().__init__(source, told, remedy)
        self.status = status


class BadAnswer(CollectorError):
    """An answer that cannot be understood."""
