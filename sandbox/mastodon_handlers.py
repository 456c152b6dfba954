"""What each path of the Mastodon API answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request

from sandbox.mastodon_index import InstanceView, Page, Status
from sandbox.mastodon_instance import VERSION, instance_v1, instance_v2
from sandbox.mastodon_objects import JSONDict, Renderer, uri_of, url_of
from sandbox.mastodon_text import normalised_tag
from sandbox.world import Person

STATUSES_DEFAULT, STATUSES_MOST = 20, 40
PEOPLE_DEFAULT, PEOPLE_MOST = 40, 80
ANCESTORS, DESCENDANTS, DEPTH = 40, 60, 20  # of a context, for readers without a token
UNLIMITED = 4096
TRUE = {"1", "true", "on", "t", "yes"}


class Refusal(Exception):
    """An error status with Mastodon's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(slots=True)
class Call:
    """One request, read."""

    request: Request
    view: InstanceView
    now: datetime
    signed_in: bool
    access: Mapping[str, Mapping[str, str]]
    emojis: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict)

    def renderer(self) -> Renderer:
        """What turns statuses into objects."""
        return Renderer(self.view, self.now, self.signed_in, self.emojis)

    def flag(self, name: str) -> bool:
        """A parameter as Rails reads a boolean."""
        return (self.request.query_params.get(name) or "").lower() in TRUE

    def listed(self, name: str) -> list[str]:
        """A repeated parameter, `name[]`."""
        query = self.request.query_params
        return [*query.getlist(f"{name}[]"), *query.getlist(name)]

    def number(self, name: str) -> int | None:
        """An id; what is not a number counts as 0, as in Mastodon."""
        value = self.request.query_params.get(name)
        if value is None or value == "":
            return None
        return int(value) if value.isascii() and value.isdecimal() else 0

    def limit(self, default: int, most: int) -> int:
        """The page size, never more than `most`."""
        value = self.number("limit")
        return default if value is None else max(1, min(value, most))

    def page(self) -> Page:
        """The paging parameters of a list of statuses."""
        return Page(self.limit(STATUSES_DEFAULT, STATUSES_MOST), self.number("max_id"), self.number("since_id"),
                    self.number("min_id"))  # fmt: skip

    def status(self) -> Status:
        """The status of the path."""
        status = self.view.by_id.get(self.request.path_params["id"])
        if status is None or not self.view.exists(status, self.now):
            raise Refusal(404, "Record not found")
        return status

    def person(self) -> Person:
        """The account of the path."""
        return self.known(self.view.accounts.get(self.request.path_params["id"]))

    def known(self, person: Person | None) -> Person:
        """An account that is there at `now`."""
        if person is None or self.view.base.gone(person, self.now):
            raise Refusal(404, "Record not found")
        return person

    def link(self, newest: str, oldest: str, more: bool = True, forward: str = "min_id") -> None:
        """Set the Link header: the next page is older, the previous one newer; everything percent-encoded."""
        path = f"{self.request.base_url}".rstrip("/") + quote(self.request.scope["path"])
        paging = ("max_id", "since_id", "min_id")
        kept = [(name, value) for name, value in self.request.query_params.multi_items() if name not in paging]
        links = [(("max_id", oldest), "next")] if more else []
        links.append(((forward, newest), "prev"))
        self.headers["link"] = ", ".join(f'<{path}?{urlencode([*kept, pair])}>; rel="{rel}"' for pair, rel in links)

    def statuses(self, statuses: Sequence[Status], wanted: Callable[[Status], bool], always: bool) -> list[JSONDict]:
        """A page with its Link header; `always` with a next page, as public timelines do, or only after a full one."""
        page = self.page()
        found = page.of(statuses, lambda status: self.view.exists(status, self.now) and wanted(status))
        if found:
            self.link(found[0].id, found[-1].id, always or len(found) == page.limit)
        renderer = self.renderer()
        return [renderer.status(status) for status in found]

    def people(self, people: Sequence[Person]) -> list[JSONDict]:
        """A page of accounts; the ids in its Link header are positions, opaque to clients."""
        start = self.number("max_id") or 0
        limit = self.limit(PEOPLE_DEFAULT, PEOPLE_MOST)
        found = people[start : start + limit]
        if found:
            self.link(str(start), str(start + len(found)), start + len(found) < len(people), "since_id")
        renderer = self.renderer()
        return [renderer.account(person) for person in found]

    def feed(self, kind: str) -> Callable[[Status], bool] | None:
        """Who may read a live or hashtag feed: None when it is empty for this reader, else local or remote or both."""
        access = self.access[kind]
        parts = [part for part in ("local", "remote") if not self.flag("remote" if part == "local" else "local")]
        if not self.signed_in and any(access[part] == "authenticated" for part in parts):
            raise Refusal(401, "This method requires an authenticated user")
        shown = [part for part in parts if access[part] != "disabled"]
        if not shown:
            return None
        return lambda status: ("local" if self.view.local(status.author) else "remote") in shown


Handler = Callable[[Call], Any]


def _tag(call: Call) -> list[JSONDict]:
    wanted = call.feed("hashtag_feeds")
    names = [call.request.path_params["hashtag"], *call.listed("any")[:4]]
    tags = list(dict.fromkeys(normalised_tag(name) for name in names))
    every = [normalised_tag(name) for name in call.listed("all")[:4]]
    none = [normalised_tag(name) for name in call.listed("none")[:4]]
    if wanted is None:
        return []
    allowed = wanted

    def matches(status: Status) -> bool:
        if status.post.visibility != "public" or not allowed(status) or not view.has_tag(status, tags, call.now):
            return False
        if not all(view.has_tag(status, [tag], call.now) for tag in every):
            return False
        return not (none and view.has_tag(status, none, call.now))

    view = call.view
    found = {status.key: status for tag in tags for status in view.tagged.get(tag, ())}
    return call.statuses([found[key] for key in sorted(found)], matches, always=True)


def _public(call: Call) -> list[JSONDict]:
    wanted = call.feed("live_feeds")
    if wanted is None:
        return []
    allowed = wanted
    return call.statuses(
        call.view.ordered,
        lambda status: status.post.visibility == "public" and allowed(status) and not _reply_to_others(call, status),
        always=True,
    )


def _reply_to_others(call: Call, status: Status) -> bool:
    if status.post.reply_to is None or status.reshare is not None:
        return False
    parent = call.view.base.posts.get(status.post.reply_to)
    return parent is None or parent.author != status.author.key


def _account_statuses(call: Call) -> list[JSONDict]:
    person = call.person()
    replies, boosts = not call.flag("exclude_replies"), not call.flag("exclude_reblogs")
    pinned, tagged = call.flag("pinned"), call.request.query_params.get("tagged")

    def matches(status: Status) -> bool:
        if status.reshare is not None:
            return boosts and not pinned and not tagged
        if (pinned and not status.post.pinned) or (not replies and _reply_to_others(call, status)):
            return False
        return not tagged or call.view.has_tag(status, [normalised_tag(tagged)], call.now)

    if call.flag("only_media"):
        return []
    return call.statuses(call.view.by_author.get(person.key, ()), matches, always=False)


def _lookup(call: Call) -> JSONDict:
    handle, _, host = (call.request.query_params.get("acct") or "").lstrip("@").partition("@")
    return call.renderer().account(call.known(call.view.find(handle, host or call.view.instance)))


def _account(call: Call) -> JSONDict:
    return call.renderer().account(call.person())


def _accounts(call: Call) -> list[JSONDict]:
    found = (call.view.accounts.get(key) for key in call.listed("id")[:40])
    renderer = call.renderer()
    return [renderer.account(one) for one in found if one and not call.view.base.gone(one, call.now)]


def _status(call: Call) -> JSONDict:
    return call.renderer().status(call.status())


def _statuses(call: Call) -> list[JSONDict]:
    found = (call.view.by_id.get(key) for key in dict.fromkeys(call.listed("id")[:40]))
    renderer = call.renderer()
    return [renderer.status(one) for one in found if one and call.view.exists(one, call.now)]


def _context(call: Call) -> JSONDict:
    status = call.status()
    limits = (UNLIMITED, UNLIMITED, UNLIMITED) if call.signed_in else (ANCESTORS, DESCENDANTS, DEPTH)
    ancestors: list[Status] = []
    seen = {status.post.id}
    parent = call.view.of_post.get(status.post.reply_to) if status.post.reply_to else None
    while parent and parent.post.id not in seen and len(ancestors) < limits[0]:
        seen.add(parent.post.id)
        if call.view.exists(parent, call.now):
            ancestors.append(parent)
        parent = call.view.of_post.get(parent.post.reply_to) if parent.post.reply_to else None
    renderer = call.renderer()
    descendants = _descendants(call, status, limits[2])[: limits[1]]
    return {"ancestors": [renderer.status(one) for one in reversed(ancestors)],
            "descendants": [renderer.status(one) for one in descendants]}  # fmt: skip


def _descendants(call: Call, status: Status, depth: int) -> list[Status]:
    found: list[Status] = []
    waiting = [(child, 1) for child in reversed(call.view.children(status.post, call.now))]
    seen = {status.post.id}
    while waiting:
        child, level = waiting.pop()
        if child.post.id in seen:
            continue
        seen.add(child.post.id)
        found.append(child)
        if level < depth:
            waiting += [(one, level + 1) for one in reversed(call.view.children(child.post, call.now))]
    return found


def _reblogged_by(call: Call) -> list[JSONDict]:
    return call.people([boost.author for boost in reversed(call.view.boosts_of(call.status().post, call.now))])


def _favourited_by(call: Call) -> list[JSONDict]:
    return call.people(call.view.likers_of(call.status().post, call.now))


def _history(call: Call) -> list[JSONDict]:
    status, renderer = call.status(), call.renderer()
    moments = [status.post.created_at, *sorted(edit.at for edit in status.post.edits if edit.at <= call.now)]
    answer = []
    for moment in moments:
        past = Renderer(call.view, moment, call.signed_in, call.emojis).status(status)
        kept = {name: past[name] for name in ("content", "spoiler_text", "sensitive", "media_attachments", "emojis")}
        created = past["edited_at"] or past["created_at"]
        answer.append({**kept, "created_at": created, "account": renderer.account(status.author)})
    return answer


def _search(call: Call) -> JSONDict:
    words = (call.request.query_params.get("q") or "").strip()
    kind = call.request.query_params.get("type")
    renderer, view = call.renderer(), call.view
    limit = call.limit(STATUSES_DEFAULT, STATUSES_MOST)
    answer: dict[str, list[JSONDict]] = {"accounts": [], "statuses": [], "hashtags": []}
    if kind in (None, "accounts"):
        handle = words.lstrip("@").casefold()
        everybody = view.base.people.values() if handle else ()
        people = [one for one in everybody if renderer.acct(one).casefold().startswith(handle)]
        answer["accounts"] = [renderer.account(one) for one in people if not view.base.gone(one, call.now)][:limit]
    if kind in (None, "statuses"):
        named = [one for one in view.ordered if words in (uri_of(one.post, one.author), url_of(one.post, one.author))]
        answer["statuses"] = [renderer.status(one) for one in named if view.exists(one, call.now)][:limit]
    if kind in (None, "hashtags"):
        name = normalised_tag(words.lstrip("#"))
        answer["hashtags"] = [renderer.tag(tag) for tag in sorted(view.tagged) if name and tag.startswith(name)][:limit]
    return answer


def _instance_v2(call: Call) -> JSONDict:
    access = {kind: dict(parts) for kind, parts in call.access.items()}
    return instance_v2(call.view.instance, access, _residents(call))


def _instance_v1(call: Call) -> JSONDict:
    local = sum(1 for one in call.view.ordered if call.view.local(one.author) and call.view.exists(one, call.now))
    hosts = {person.instance for person in call.view.base.people.values()}
    return instance_v1(call.view.instance, _residents(call), local, len(hosts))


def _residents(call: Call) -> int:
    return sum(1 for person in call.view.base.people.values() if call.view.local(person))


def _nodeinfo_links(call: Call) -> JSONDict:
    base = f"{call.request.base_url}".rstrip("/")
    return {"links": [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": f"{base}/nodeinfo/2.0"}]}


def _nodeinfo(call: Call) -> JSONDict:
    return {
        "version": "2.0", "software": {"name": "mastodon", "version": VERSION}, "protocols": ["activitypub"],
        "services": {"outbound": [], "inbound": []}, "usage": {"users": {"total": _residents(call)}},
        "openRegistrations": False, "metadata": {},
    }  # fmt: skip


def _verify_credentials(call: Call) -> JSONDict:
    if not call.signed_in:
        raise Refusal(401, "The access token is invalid")
    return {"name": "sandbox", "website": None, "scopes": ["read"], "redirect_uris": []}


ROUTES: list[tuple[str, Handler]] = [
    ("/api/v1/timelines/tag/{hashtag}", _tag),
    ("/api/v1/timelines/public", _public),
    ("/api/v1/accounts/lookup", _lookup),
    ("/api/v1/accounts", _accounts),
    ("/api/v1/accounts/{id}", _account),
    ("/api/v1/accounts/{id}/statuses", _account_statuses),
    ("/api/v1/statuses", _statuses),
    ("/api/v1/statuses/{id}", _status),
    ("/api/v1/statuses/{id}/context", _context),
    ("/api/v1/statuses/{id}/history", _history),
    ("/api/v1/statuses/{id}/reblogged_by", _reblogged_by),
    ("/api/v1/statuses/{id}/favourited_by", _favourited_by),
    ("/api/v1/apps/verify_credentials", _verify_credentials),
    ("/api/v2/search", _search),
    ("/api/v1/instance", _instance_v1),
    ("/api/v1/instance/", _instance_v1),
    ("/api/v2/instance", _instance_v2),
    ("/api/v2/instance/", _instance_v2),
    ("/.well-known/nodeinfo", _nodeinfo_links),
    ("/nodeinfo/2.0", _nodeinfo),
]
