"""Mastodon.py, made fit for a daemon: short timeouts, no sleeping, odd headers taken out before it stumbles on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from mastodon import Mastodon
from mastodon.errors import MastodonError, MastodonNetworkError
from mastodon.return_types import PaginatableList

from collector.errors import BadAnswer, CollectorError, NetworkDown, NotAuthorised, Refused
from collector.fields import Fields, items, mapping, moment
from collector.limits import Windows
from config.settings import MastodonInstance

PAGE = 40
PEOPLE = 80
LOOKUP = 20  # ids of one question
WINDOW = timedelta(minutes=5)
GONE = (404, 410)


class _Plain(Mastodon):  # type: ignore[misc]
    """Mastodon.py without its typed objects: they cost about 10 ms a status, make an empty list of an object where a
    list is expected, and None of a time that cannot be read. Should the method go, answers are typed again, and work.
    """

    def _Mastodon__try_cast_to_type(self, value: object, override_type: object = None) -> tuple[object, None]:
        return (PaginatableList(value) if isinstance(value, list) else value), None


class MastodonClient:
    """The endpoints of one instance. Every method raises CollectorErrors only; one client per thread."""

    def __init__(self, instance: MastodonInstance, contact: str = "") -> None:
        """`contact` stands in the User-Agent, so that an admin can reach the operator."""
        self.source = instance.host
        self.signed_in = instance.access_token is not None
        self.windows = Windows(self.source, "x-ratelimit", WINDOW)
        self.requests = 0
        self._last: requests.Response | None = None
        session = requests.Session()
        session.hooks["response"].append(self._arrived)
        self.api = _Plain(
            api_base_url=instance.url.rstrip("/"),
            access_token=instance.access_token.get_secret_value() if instance.access_token else None,
            request_timeout=instance.timeout,
            ratelimit_method="throw",
            version_check_mode="none",
            session=session,
            user_agent=f"resonance-monitor (+{contact})" if contact else "resonance-monitor",
        )

    def close(self) -> None:
        """Close the connections."""
        self.api.session.close()

    def _arrived(self, response: requests.Response, *args: Any, **options: Any) -> None:
        self._last = response
        self._headers = dict(response.headers)
        reset, date = response.headers.get("X-RateLimit-Reset"), response.headers.get("Date")
        if reset is not None and not reset.isdecimal() and moment(reset) is None:
            del response.headers["X-RateLimit-Reset"]
        if date is not None and reset is not None:
            del response.headers["Date"]  # we count the difference ourselves

    def tag(self, tag: str, now: datetime, **paging: str) -> list[Fields]:
        """The timeline of a hashtag."""
        return self._list(now, lambda: self.api.timeline_hashtag(tag, limit=PAGE, **paging))

    def public(self, now: datetime, **paging: str) -> list[Fields]:
        """The federated timeline."""
        return self._list(now, lambda: self.api.timeline_public(limit=PAGE, **paging))

    def account_statuses(self, key: str, now: datetime, **paging: str) -> list[Fields]:
        """What an account posted and boosted."""
        return self._list(now, lambda: self.api.account_statuses(key, limit=PAGE, **paging))

    def account(self, name: str, now: datetime) -> Fields:
        """An account that the instance knows, by `user@host`."""
        return self._object(now, lambda: self.api.account_lookup(name))

    def status(self, key: str, now: datetime) -> Fields:
        """One status."""
        return self._object(now, lambda: self.api.status(key))

    def statuses(self, keys: Sequence[str], now: datetime) -> list[Fields]:
        """Up to 20 statuses (Mastodon 4.3 and newer); those that are not there are left out."""
        return self._list(now, lambda: self.api.statuses(list(keys)))

    def context(self, key: str, now: datetime) -> list[Fields]:
        """The answers below a status, as far as the instance knows them."""
        return items(self._object(now, lambda: self.api.status_context(key)).get("descendants"))

    def boosters(self, key: str, now: datetime, pages: int) -> tuple[list[Fields], bool]:
        """Who boosted a status, and whether that is everybody; Mastodon.py offers neither a limit nor paging here."""
        people: list[Fields] = []
        path, wanted = f"/api/v1/statuses/{key}/reblogged_by", {"limit": str(PEOPLE)}
        for _ in range(pages):
            people += self._list(now, lambda: self.api._Mastodon__api_request("GET", path, dict(wanted)))
            link = self._last.links.get("next", {}).get("url", "") if self._last is not None else ""
            further = dict(_parameters(link))
            if "max_id" not in further:
                return people, True
            wanted["max_id"] = further["max_id"]
        return people, False

    def instance(self, now: datetime) -> Fields:
        """What the instance says about itself; servers without the newer form give the older one."""
        try:
            return self._object(now, self.api.instance_v2)
        except (Refused, BadAnswer):
            return self._object(now, self.api.instance_v1)

    def verify(self, now: datetime) -> None:
        """Raise NotAuthorised when the token is not good; some servers know only one of the two ways to ask."""
        try:
            self._object(now, self.api.app_verify_credentials)
        except (NotAuthorised, Refused) as first:
            try:
                self._object(now, self.api.account_verify_credentials)
            except Refused:
                raise first from None

    def _list(self, now: datetime, call: Callable[[], object]) -> list[Fields]:
        answer = self._ask(now, call)
        if not isinstance(answer, list):
            raise self._bad("the answer has an unknown shape.")
        return items(answer)

    def _object(self, now: datetime, call: Callable[[], object]) -> Fields:
        answer = self._ask(now, call)
        if not isinstance(answer, Mapping):
            raise self._bad("the answer has an unknown shape.")
        return mapping(answer)

    def _ask(self, now: datetime, call: Callable[[], object]) -> object:
        self.windows.before("API", now)
        self._last, self._headers = None, {}
        self.requests += 1
        try:
            answer = call()
        except MastodonNetworkError:
            raise NetworkDown(self.source, "no answer.", "The next round asks again from the same place.") from None
        except (MastodonError, ValueError, TypeError, AttributeError, KeyError, LookupError) as error:
            raise self._failure(error, now) from None
        self.windows.after("API", _lower(self._headers), now)
        return answer

    def _failure(self, error: Exception, now: datetime) -> CollectorError:
        status = self._last.status_code if self._last is not None else 0
        if status == 429:
            return self.windows.refused("API", _lower(self._headers), now)
        if status in (401, 403) or (status == 422 and "user" in str(error)):
            told = f"the instance refuses to answer without a valid token (HTTP {status})."
            remedy = "Set access_token of this instance (scope read), or leave the instance out."
            return NotAuthorised(self.source, told, remedy)
        if status >= 500:
            told = f"the server is in trouble (HTTP {status})."
            return NetworkDown(self.source, told, "The next round asks again from the same place.")
        if status >= 400:
            return Refused(self.source, f"the question was refused (HTTP {status}).", status=status)
        return self._bad(f"the answer could not be read ({type(error).__name__}).")

    def _bad(self, told: str) -> BadAnswer:
        return BadAnswer(self.source, told, "Nothing was stored of it; the next round asks again.")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _parameters(link: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(link).query)


def access_of(instance: Fields, kind: str) -> set[str]:
    """What an instance says about a feed (`hashtag_feeds`, `live_feeds`): public, authenticated, disabled."""
    access = mapping(mapping(instance.get("configuration")).get("timelines_access"))
    return {value for value in mapping(access.get(kind)).values() if isinstance(value, str)}
