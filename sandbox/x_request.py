"""Reading the parameters of a request to X, and refusing them in X's words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams

from sandbox.x_objects import EXPANSIONS, OLD_NAMES, POST_FIELDS, PROBLEMS, USER_FIELDS, Wanted

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
COMMON = {"tweet.fields", "post.fields", "user.fields", "expansions", "media.fields", "place.fields", "poll.fields"}


class Problem(Exception):
    """A refusal, with the status and the body that X sends."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body.get("detail", status))
        self.status, self.body = status, body


def invalid(name: str, value: str, message: str) -> Problem:
    """The 400 of a bad parameter."""
    return Problem(400, {
        "errors": [{"parameters": {name: [value]}, "message": message}],
        "title": "Invalid Request", "detail": "One or more parameters to your request was invalid.",
        "type": PROBLEMS + "invalid-request",
    })  # fmt: skip


def token_of(key: int) -> str:
    """A paging token: opaque to clients, here the id in base 36 after a mark."""
    digits = []
    while key:
        key, digit = divmod(key, 36)
        digits.append(DIGITS[digit])
    return "b26v89c19zqg8o3f" + "".join(reversed(digits))


class Parameters:
    """The query of one request."""

    def __init__(self, query: QueryParams, known: Sequence[str]) -> None:
        self.query = query
        for name in query:
            if name not in known and name not in COMMON:
                offered = ",".join(sorted({*known, *COMMON}))
                raise invalid(name, query[name], f"The query parameter [{name}] is not one of [{offered}]")

    def __getitem__(self, name: str) -> str | None:
        return self.query.get(name)

    def required(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.query.get(name)
        if not value:
            raise invalid(name, value or "", f"The `{name}` query parameter can not be empty")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.query.get(name)
        if value is None:
            return default
        if not value.isdecimal() or not low <= int(value) <= high:
            raise invalid(name, value, f"The `{name}` query parameter value [{value}] is not between {low} and {high}")
        return int(value)

    def post_id(self, name: str) -> int | None:
        """An id of digits."""
        value = self.query.get(name)
        if value is not None and not (value.isdecimal() and len(value) <= 19):
            raise invalid(name, value, f"The `{name}` query parameter value [{value}] is not valid")
        return int(value) if value else None

    def time(self, name: str) -> datetime | None:
        """A time in ISO 8601."""
        value = self.query.get(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            message = f"The `{name}` query parameter value [{value}] is not a valid RFC3339 time"
            raise invalid(name, value, message) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def upper_bound(self) -> int | None:
        """Where the page that a token stands for begins."""
        name = "next_token" if "next_token" in self.query else "pagination_token"
        value = self.query.get(name)
        if value is None:
            return None
        mark = token_of(0)
        if not value.startswith(mark) or not value[len(mark) :].isalnum():
            raise invalid(name, value, f"The `{name}` query parameter value [{value}] is not valid")
        try:
            return int(value[len(mark) :], 36)
        except ValueError:
            raise invalid(name, value, f"The `{name}` query parameter value [{value}] is not valid") from None

    def listed(self, name: str, most: int) -> list[str]:
        """A list between commas."""
        values = self.required(name).split(",")
        if len(values) > most:
            raise invalid(
                name,
                ",".join(values),
                f"The number of values in the `{name}` query parameter list "
                f"[{len(values)}] is not between 1 and {most}",
            )
        return values

    def wanted(self) -> Wanted:
        """The fields and expansions asked for, in either spelling."""
        fields = [*self._choices("tweet.fields", POST_FIELDS), *self._choices("post.fields", POST_FIELDS)]
        return Wanted.of(fields, self._choices("user.fields", USER_FIELDS), self._choices("expansions", EXPANSIONS))

    def _choices(self, name: str, offered: Sequence[str]) -> list[str]:
        values = [value for value in self.query.get(name, "").split(",") if value]
        known = [OLD_NAMES.get(value, value.replace("referenced_posts.", "referenced_tweets.")) for value in values]
        for value, old in zip(values, known, strict=True):
            if old not in offered:
                raise invalid(
                    name, value, f"The `{name}` query parameter value [{value}] is not one of [{','.join(offered)}]"
                )
        return known
