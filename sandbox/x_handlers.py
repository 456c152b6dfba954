"""What each path of the X API answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sandbox.world import Person, x_id
from sandbox.x_index import Entry, XIndex, newest_first
from sandbox.x_objects import JSONDict, Renderer, Wanted, not_authorized, not_found, stamp, suspended
from sandbox.x_request import Parameters, Problem, invalid, token_of

WINDOW = timedelta(days=7)
LAG = timedelta(seconds=30)
CLOSEST = timedelta(seconds=10)
NEWEST_ID = 1 << 63
RANGE = ("start_time", "end_time", "since_id", "until_id", "max_results", "next_token", "pagination_token")
STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(slots=True)
class Usage:
    """The posts read in this billing cycle: the same post on one UTC day counts once."""

    cap: int
    days: dict[str, set[str]] = field(default_factory=dict)

    def add(self, answer: JSONDict, now: datetime) -> None:
        """Count the posts of an answer."""
        data = answer.get("data")
        posts = [data] if isinstance(data, dict) else data if isinstance(data, list) else []
        self.days.setdefault(now.date().isoformat(), set()).update(post["id"] for post in posts if "text" in post)

    def total(self) -> int:
        """How many there were."""
        return sum(len(posts) for posts in self.days.values())


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read."""

    params: Parameters
    path: dict[str, str]
    index: XIndex
    now: datetime
    wanted: Wanted
    usage: Usage

    def renderer(self) -> Renderer:
        """What turns entries into objects."""
        return Renderer(self.index, self.now, self.wanted)

    def post(self) -> Entry:
        """The post of the path; a Problem with partial errors when it cannot be shown."""
        entry = self.index.find(self.path["id"])
        if entry is None or not self.index.exists(entry, self.now):
            raise Problem(200, {"errors": [not_found("tweet", self.path["id"], "id")]})
        if self.index.protected(entry):
            raise Problem(200, {"errors": [not_authorized(self.path["id"], "id")]})
        return entry

    def person(self) -> Person:
        """The account of the path."""
        person = self.index.base.people.get(self.path["id"])
        if person is None:
            raise Problem(200, {"errors": [not_found("user", self.path["id"], "id")]})
        if self.index.base.gone(person, self.now):
            raise Problem(200, {"errors": [suspended(self.path["id"], "id")]})
        return person


Handler = Callable[[Call], JSONDict]


def _search_window(call: Call) -> tuple[int, int]:
    """The exclusive bounds of ids that a search covers; refuses what lies outside the seven days."""
    params, now = call.params, call.now
    oldest = now - WINDOW
    start, end = params.time("start_time"), params.time("end_time")
    if start is not None and start < oldest:
        raise invalid(
            "start_time",
            params["start_time"] or "",
            f"Invalid 'start_time':'{params['start_time']}'. 'start_time' must be on or after "
            f"{oldest.strftime('%Y-%m-%dT%H:%MZ')}.",
        )
    if end is not None and end > now - CLOSEST:
        raise invalid(
            "end_time",
            params["end_time"] or "",
            f"Invalid 'end_time':'{params['end_time']}'. 'end_time' must be a minimum of 10 seconds prior "
            "to the request time.",
        )
    lowest = int(x_id(oldest))
    for name in ("since_id", "until_id"):
        value = params.post_id(name)
        if value is not None and value < lowest:
            raise invalid(
                name,
                str(value),
                f"'{name}' must be a tweet id created after "
                f"{oldest.strftime('%Y-%m-%dT%H:%MZ')}. Please use a '{name}' that is "
                f"larger than {lowest}",
            )
    since, until = params.post_id("since_id"), params.post_id("until_id")
    low = since if since is not None else int(x_id(start if start else oldest)) - 1
    high = int(x_id(end if end is not None else now - LAG))
    return low, min(high, until if until is not None else NEWEST_ID)


def _window(call: Call) -> tuple[int, int]:
    """The exclusive bounds of ids of a timeline, which has no oldest day."""
    params = call.params
    start, end = params.time("start_time"), params.time("end_time")
    since, until = params.post_id("since_id"), params.post_id("until_id")
    low = since if since is not None else int(x_id(start)) - 1 if start else -1
    high = int(x_id(end)) if end else NEWEST_ID
    return low, min(high, until if until is not None else NEWEST_ID)


def _page(
    call: Call, entries: Sequence[Entry], low: int, high: int, limit: int, wanted: Callable[[Entry], bool] | None = None
) -> JSONDict:
    token = call.params.upper_bound()
    high = min(high, token) if token is not None else high
    found: list[Entry] = []

    def keep(entry: Entry) -> bool:
        return call.index.shows(entry, call.now) and (wanted is None or wanted(entry))

    for entry in newest_first(entries, low, high, keep):
        found.append(entry)
        if len(found) > limit:
            break
    answer = call.renderer().page(found[:limit])
    meta: JSONDict = {"result_count": min(len(found), limit)}
    if found:
        meta = {"newest_id": found[0].id, "oldest_id": found[:limit][-1].id, **meta}
    if len(found) > limit:
        meta["next_token"] = token_of(found[limit - 1].key)
    answer["meta"] = meta
    return answer


def _search(call: Call) -> JSONDict:
    entries = call.index.search(call.params.required("query"))
    limit = call.params.number("max_results", 10, 10, 100)
    low, high = _search_window(call)
    return _page(call, entries, low, high, limit)


def _counts(call: Call) -> JSONDict:
    entries = call.index.search(call.params.required("query"))
    granularity = call.params["granularity"] or "hour"
    if granularity not in STEPS:
        raise invalid(
            "granularity",
            granularity,
            f"The `granularity` query parameter value [{granularity}] is not one of [minute,hour,day]",
        )
    start = call.params.time("start_time") or call.now - WINDOW
    end = call.params.time("end_time") or call.now - LAG
    low, high = _search_window(call)
    times = [entry.at for entry in newest_first(entries, low, high, lambda entry: call.index.shows(entry, call.now))]
    step, buckets = STEPS[granularity], []
    left = start
    while left < end:
        epoch = int(left.timestamp())
        whole = datetime.fromtimestamp(epoch - epoch % int(step.total_seconds()), UTC)
        right = min(whole + step, end)
        count = sum(1 for moment in times if left <= moment < right)
        buckets.append({"end": stamp(right), "start": stamp(left), "tweet_count": count})
        left = right
    return {"data": buckets, "meta": {"total_tweet_count": len(times)}}


def _posts(call: Call) -> JSONDict:
    found: list[Entry] = []
    errors: list[JSONDict] = []
    for value in call.params.listed("ids", 100):
        if not value.isdecimal():
            raise invalid("ids", value, f"The `ids` query parameter value [{value}] is not valid")
        entry = call.index.find(value)
        if entry is None or not call.index.exists(entry, call.now):
            errors.append(not_found("tweet", value, "ids"))
        elif call.index.protected(entry):
            errors.append(not_authorized(value, "ids"))
        else:
            found.append(entry)
    answer = call.renderer().page(found)
    if errors:
        answer["errors"] = [*errors, *answer.get("errors", [])]
    return answer


def _post(call: Call) -> JSONDict:
    answer = call.renderer().page([call.post()])
    return {**answer, "data": answer["data"][0]}


def _users_by(name: str, find: Callable[[Call, str], Person | None]) -> Handler:
    def handler(call: Call) -> JSONDict:
        renderer, data, errors = call.renderer(), [], []
        for value in call.params.listed(name, 100):
            person = find(call, value)
            if person is None:
                errors.append(not_found("user", value, name))
            elif call.index.base.gone(person, call.now):
                errors.append(suspended(value, name))
            else:
                data.append(renderer.user(person))
        return {**({"data": data} if data else {}), **({"errors": errors} if errors else {})}

    return handler


def _user(call: Call) -> JSONDict:
    return {"data": call.renderer().user(call.person())}


def _user_by_name(call: Call) -> JSONDict:
    name = call.path["username"]
    person = call.index.handles.get(name.casefold())
    if person is None:
        return {"errors": [not_found("user", name, "username")]}
    if call.index.base.gone(person, call.now):
        return {"errors": [suspended(name, "username")]}
    return {"data": call.renderer().user(person)}


def _timeline(call: Call) -> JSONDict:
    person = call.person()
    if person.protected:
        return {"errors": [not_authorized(person.key, "id")], "meta": {"result_count": 0}}
    excluded = set((call.params["exclude"] or "").split(","))
    low, high = _window(call)

    def wanted(entry: Entry) -> bool:
        if entry.reshare is not None:
            return "retweets" not in excluded
        return not (entry.post.reply_to and "replies" in excluded)

    limit = call.params.number("max_results", 10, 5, 100)
    return _page(call, call.index.timeline(person)[-3200:], low, high, limit, wanted)


def _mentions(call: Call) -> JSONDict:
    entries = call.index.mentioning(call.person().handle)[-800:]
    low, high = _window(call)
    return _page(call, entries, low, high, call.params.number("max_results", 10, 5, 100))


def _reposts(call: Call) -> JSONDict:
    entries = call.index.reposts_of(call.post().post, call.now)
    return _page(call, entries, -1, NEWEST_ID, call.params.number("max_results", 100, 1, 100))


def _quotes(call: Call) -> JSONDict:
    excluded = set((call.params["exclude"] or "").split(","))
    entries = call.index.quotes_of(call.post().post, call.now)
    limit = call.params.number("max_results", 10, 10, 100)
    return _page(call, entries, -1, NEWEST_ID, limit, lambda entry: not (entry.post.reply_to and "replies" in excluded))


def _reposters(call: Call) -> JSONDict:
    limit, token = call.params.number("max_results", 100, 1, 100), call.params.upper_bound()
    entries = call.index.reposts_of(call.post().post, call.now)
    high = token if token is not None else NEWEST_ID
    found = list(newest_first(entries, -1, high, lambda entry: call.index.shows(entry, call.now)))
    renderer = call.renderer()
    people = [call.index.author(entry) for entry in found[:limit]]
    answer: JSONDict = {"data": [renderer.user(person) for person in people if person]} if people else {}
    answer["meta"] = {"result_count": len(people)}
    if len(found) > limit:
        answer["meta"]["next_token"] = token_of(found[limit - 1].key)
    return answer


def _usage(call: Call) -> JSONDict:
    usage = call.usage
    days = [{"date": f"{day}T00:00:00.000Z", "usage": str(len(posts))} for day, posts in sorted(usage.days.items())]
    data: JSONDict = {
        "cap_reset_day": 1,
        "project_cap": str(usage.cap),
        "project_id": "1",
        "project_usage": str(usage.total()),
    }
    if "daily_project_usage" in (call.params["usage.fields"] or ""):
        data["daily_project_usage"] = {"project_id": 1, "usage": days}
    return {"data": data}


PAGED = ("max_results", "pagination_token", "next_token")
BY_ID = _users_by("ids", lambda call, value: call.index.base.people.get(value))
BY_NAME = _users_by("usernames", lambda call, value: call.index.handles.get(value.casefold()))
ROUTES: list[tuple[str, int, Handler, tuple[str, ...]]] = [  # path, requests in 15 minutes, handler, parameters
    ("/2/tweets/search/recent", 450, _search, ("query", "sort_order", *RANGE)),
    ("/2/tweets/counts/recent", 300, _counts, ("query", "granularity", *RANGE)),
    ("/2/usage/tweets", 50, _usage, ("days", "usage.fields")),
    ("/2/tweets", 3500, _posts, ("ids",)),
    ("/2/tweets/{id}", 450, _post, ()),
    ("/2/tweets/{id}/retweets", 75, _reposts, PAGED),
    ("/2/tweets/{id}/retweeted_by", 75, _reposters, PAGED),
    ("/2/tweets/{id}/quote_tweets", 75, _quotes, ("exclude", *PAGED)),
    ("/2/users/by", 300, BY_NAME, ("usernames",)),
    ("/2/users/by/username/{username}", 300, _user_by_name, ()),
    ("/2/users", 300, BY_ID, ("ids",)),
    ("/2/users/{id}", 300, _user, ()),
    ("/2/users/{id}/tweets", 10000, _timeline, ("exclude", *RANGE)),
    ("/2/users/{id}/mentions", 450, _mentions, RANGE),
]
