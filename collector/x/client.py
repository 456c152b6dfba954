"""tweepy, made fit for a daemon: a timeout, the configured address, no sleeping, limits and money looked at first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

import requests
import tweepy
from requests.adapters import HTTPAdapter

from collector.errors import BadAnswer, CollectorError, NetworkDown, NotAuthorised, Refused, UsageCapped
from collector.fields import Fields, items, mapping, word
from collector.limits import Windows
from collector.x.budget import Budget, next_day
from config.settings import XSettings
from store.records import Spend

HOST = "https://api.twitter.com"  # hard-coded in tweepy
PAGE = 100
WINDOW = timedelta(minutes=15)
POST_FIELDS = (
    "author_id,created_at,conversation_id,in_reply_to_user_id,referenced_tweets,public_metrics,entities,lang,note_tweet,"
    "edit_history_tweet_ids,possibly_sensitive,withheld"
).split(",")
USER_FIELDS = ["created_at", "description", "protected", "public_metrics"]
EXPANSIONS = ["author_id", "referenced_tweets.id", "referenced_tweets.id.author_id"]
CONSOLE = "https://developer.x.com"


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer and what it cost."""

    body: Fields
    spend: Spend

    @property
    def next_token(self) -> str | None:
        """Where the next, older page begins."""
        return word(mapping(self.body.get("meta")).get("next_token"))


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a newest-first list that is wanted: newer than `since_id` or `start`, older than `until_id`."""

    since_id: str | None = None
    start: datetime | None = None
    until_id: str | None = None
    token: str | None = None

    def parameters(self, token_name: str) -> dict[str, Any]:
        """As tweepy names them."""
        named = {"since_id": self.since_id, "until_id": self.until_id, token_name: self.token}
        if self.since_id is None:
            named["start_time"] = self.start.strftime("%Y-%m-%dT%H:%M:%SZ") if self.start else None
        return {name: value for name, value in named.items() if value is not None}


class _Adapter(HTTPAdapter):
    """Sends tweepy's requests to the configured address, under the configured name of the fields, with a timeout."""

    def __init__(self, settings: XSettings) -> None:
        super().__init__()
        self.base, self.timeout, self.fields = (
            settings.base_url.rstrip("/"),
            settings.timeout,
            settings.fields_parameter,
        )
        self.last: requests.Response | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send one request."""
        url = (request.url or "").replace(HOST, self.base, 1)
        request.url = url.replace("tweet.fields=", f"{self.fields}=")
        self.last = None
        self.last = super().send(request, *args, **{**options, "timeout": self.timeout})
        return self.last


class XClient:
    """The endpoints that are read. Every method raises CollectorErrors only."""

    def __init__(self, settings: XSettings, budget: Budget) -> None:
        """`settings.bearer_token` must be set."""
        assert settings.bearer_token is not None
        self.budget = budget
        self.windows = Windows("x", "x-rate-limit", WINDOW)
        self.tweepy = tweepy.Client(
            settings.bearer_token.get_secret_value(), return_type=requests.Response, wait_on_rate_limit=False
        )
        self.adapter = _Adapter(settings)
        self.tweepy.session.mount(HOST, self.adapter)
        self.tweepy.session.max_redirects = 0  # it would leave the adapter, and its timeout
        logging.getLogger("tweepy").setLevel(logging.INFO)  # at DEBUG it writes the token

    def close(self) -> None:
        """Close the connections."""
        self.tweepy.session.close()

    def search(self, query: str, window: Window, now: datetime) -> Answer:
        """Recent posts, newest first; reposts are not among them since May 2026."""
        size = max(self.budget.page_size(now), 10)
        wanted = {**_posts(), **window.parameters("next_token"), "max_results": size}
        return self._ask("search", now, lambda: self.tweepy.search_recent_tweets(query, **wanted))

    def timeline(self, user_id: str, window: Window, now: datetime) -> Answer:
        """What an account posted and reposted, newest first."""
        wanted = {**_posts(), **window.parameters("pagination_token"), "max_results": self.budget.page_size(now)}
        return self._ask("timeline", now, lambda: self.tweepy.get_users_tweets(user_id, **wanted))

    def mentions(self, user_id: str, window: Window, now: datetime) -> Answer:
        """Posts that mention an account, newest first."""
        wanted = {**_posts(), **window.parameters("pagination_token"), "max_results": self.budget.page_size(now)}
        return self._ask("mentions", now, lambda: self.tweepy.get_users_mentions(user_id, **wanted))

    def quotes(self, post_id: str, token: str | None, now: datetime) -> Answer:
        """Posts that quote a post, newest first."""
        wanted = {**_posts(), **Window(token=token).parameters("pagination_token")}
        size = max(self.budget.page_size(now), 10)
        return self._ask("quotes", now, lambda: self.tweepy.get_quote_tweets(post_id, max_results=size, **wanted))

    def reposts(self, post_id: str, token: str | None, now: datetime) -> Answer:
        """Reposts with author and time, newest first; tweepy has no method for it."""
        named = {
            "max_results": str(self.budget.page_size(now)),
            "tweet.fields": "author_id,created_at,referenced_tweets",
        }
        named |= {"expansions": "author_id", "user.fields": ",".join(USER_FIELDS)}
        named |= {"pagination_token": token} if token else {}
        route = f"/2/tweets/{post_id}/retweets"
        return self._ask("reposts", now, lambda: self.tweepy.request("GET", route, params=named))

    def posts(self, ids: Sequence[str], now: datetime) -> Answer:
        """Up to 100 posts by id, without references: only the posts are paid for."""
        self.budget.plan(now, posts=ids)
        return self._ask("posts", now, lambda: self.tweepy.get_tweets(list(ids), tweet_fields=POST_FIELDS))

    def users(self, handles: Sequence[str], now: datetime) -> Answer:
        """Accounts by handle."""
        self.budget.plan(now, users=len(handles))
        return self._ask("users", now, lambda: self.tweepy.get_users(usernames=list(handles), user_fields=USER_FIELDS))

    def counts(self, query: str, now: datetime) -> Answer:
        """How many posts the last seven days hold; charged by the request."""
        price = self.budget.post_usd
        self.budget.plan(now, requests_usd=price)
        return self._ask(
            "counts", now, lambda: self.tweepy.get_recent_tweets_count(query, granularity="day"), requests_usd=price
        )

    def _ask(
        self, endpoint: str, now: datetime, call: Callable[[], requests.Response], requests_usd: float = 0.0
    ) -> Answer:
        self.windows.before(endpoint, now)
        try:
            response = call()
        except tweepy.HTTPException as error:
            self._raise(endpoint, error.response, now)
        except requests.RequestException as error:
            raise _down(f"no answer ({type(error).__name__}).") from None
        except (ValueError, TypeError, AttributeError) as error:  # tweepy stumbles over odd headers and error bodies
            if self.adapter.last is not None and self.adapter.last.status_code >= 400:
                self._raise(endpoint, self.adapter.last, now)
            raise _bad(f"the answer could not be read ({type(error).__name__}).") from None
        self.windows.after(endpoint, response.headers, now)
        try:
            body = response.json()
        except ValueError:
            raise _bad("the answer is not JSON, or ends midway.") from None
        if not isinstance(body, Mapping) or not isinstance(body.get("data", {}), Mapping | list):
            raise _bad("the answer has an unknown shape.")
        return Answer(body, self.budget.charge(body, now, requests_usd))

    def _raise(self, endpoint: str, response: requests.Response, now: datetime) -> NoReturn:
        status, problem = response.status_code, _problem(response)
        if status == 429 or status == 402:
            capped = (
                status == 402
                or "usage-capped" in (word(problem.get("type")) or "")
                or (problem.get("title") == "UsageCapExceeded")
            )
            if capped:
                told = "the posts or credits of this billing cycle are used up."
                raise UsageCapped("x", told, next_day(now), f"See the plan at {CONSOLE}.")
            raise self.windows.refused(endpoint, response.headers, now)
        if status in (401, 403):
            told = f"the token is refused for {endpoint} (HTTP {status})."
            raise NotAuthorised("x", told, f"Check x.bearer_token and its project's access at {CONSOLE}.")
        if status >= 500:
            raise _down(f"the server is in trouble (HTTP {status}).")
        raise Refused("x", f"{endpoint} was refused (HTTP {status}): {_message(problem)}", status=status)


def _posts() -> dict[str, Any]:
    return {"tweet_fields": POST_FIELDS, "user_fields": USER_FIELDS, "expansions": EXPANSIONS}


def _problem(response: requests.Response) -> Fields:
    try:
        return mapping(response.json())
    except ValueError:
        return {}


def _message(problem: Fields) -> str:
    said = [word(error.get("message"), 400) for error in items(problem.get("errors"))]
    return " ".join(text for text in said if text) or word(problem.get("detail"), 400) or "no reason given."


def _down(told: str) -> CollectorError:
    return NetworkDown("x", told, "Nothing is lost: the next round asks again from the same place.")


def _bad(told: str) -> CollectorError:
    return BadAnswer("x", told, "Nothing was stored of it; the next round asks again.")
