"""One line of an archive as a page: responses of the X API v2 as twarc writes them, posts flattened by `twarc flatten`,
statuses of Mastodon, lists of these."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from collector.base import Parsed
from collector.errors import BadAnswer
from collector.fields import Fields, either, items, mapping, moment, word
from collector.mastodon import parse as mastodon
from collector.x import parse as x
from store.records import Page

ARCHIVE = "archive"
TAGS_ONLY: frozenset[str] = frozenset()
"""Of opt-outs, what an account says in words (#nobot) counts in an archive; `noindex` is looked at when collecting."""
_LISTS = ("posts", "accounts", "interactions", "metrics", "removals")


def parse_line(line: str, now: datetime) -> Parsed:
    """What a line holds. Raises BadAnswer with the reason when nothing in it is known.

    Counts are as of the time of recording where the line tells it (twarc does), else as of `now`: give the file's own
    time there, so that a second import changes nothing. Removals and withheld posts never reach the store from here.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise _bad("not JSON") from None
    parsed = _any(value, now)
    parsed.page.removals = []
    return parsed


def _any(value: Any, now: datetime) -> Parsed:
    if isinstance(value, list):
        whole = Parsed()
        for item in value:
            _add(whole, _any(item, now))
        return whole
    fields = mapping(value)
    if "account" in fields and ("content" in fields or "reblog" in fields):
        return _status(fields, now)
    around = [item for name in ("ancestors", "descendants", "statuses") for item in items(fields.get(name))]
    around += [mapping(fields[name]) for name in ("status", "last_status") if mapping(fields.get(name))]
    if around:  # a context, a search, a notification, a conversation
        return _any(around, now)
    if "data" in fields or ("meta" in fields and "errors" not in fields):
        return x.parse(fields, _recorded(fields, now))
    if "id" in fields and ("text" in fields or "note_tweet" in fields) and "user" not in fields:
        return x.parse(unflattened(fields), _recorded(fields, now))
    if "id_str" in fields and "user" in fields:
        raise _bad("a tweet of X's API 1.1, which is not read; twarc2 writes the newer form")
    if "errors" in fields or "title" in fields:
        raise _bad("an error message of the X API, without posts")
    if isinstance(value, dict):
        raise _bad("neither an X API v2 response, nor a flattened post, nor a Mastodon status")
    raise _bad("not a JSON object")


def _bad(told: str) -> BadAnswer:
    return BadAnswer(ARCHIVE, f"{told}.")


def _add(whole: Parsed, part: Parsed) -> None:
    for name in _LISTS:
        getattr(whole.page, name).extend(getattr(part.page, name))
    whole.skipped += part.skipped


def _recorded(fields: Fields, now: datetime) -> datetime:
    return moment(mapping(fields.get("__twarc")).get("retrieved_at")) or now


def _status(status: Fields, now: datetime) -> Parsed:
    """A status; which instance showed it is known only where the address carries the very id."""
    shown = mapping(status.get("reblog")) or status
    uri = word(either(shown, "uri", "url")) or ""
    home = mastodon.host_of(uri)
    local = "@" not in (word(mapping(shown.get("account")).get("acct")) or "@")
    source = home if home and local and uri.rstrip("/").endswith(f"/{word(shown.get('id'))}") else ARCHIVE
    return mastodon.parse([status], now, source, policy=TAGS_ONLY)


def unflattened(post: Fields) -> dict[str, Any]:
    """A post into which `twarc flatten` put its author, references and mentioned accounts, as a page again."""
    posts: list[Fields] = []
    users: list[Fields] = []
    for one in _within(post):
        posts.append(one)
        people = (one.get("author"), one.get("in_reply_to_user"), *items(mapping(one.get("entities")).get("mentions")))
        users += [mapping(person) for person in people if "username" in mapping(person)]
    known = {str(user.get("id")): user for user in reversed(users) if "id" in user and "public_metrics" in user}
    rest = {str(user.get("id")): user for user in users if "id" in user}
    return {"data": [posts[0]], "includes": {"tweets": posts[1:], "users": list({**rest, **known}.values())}}


def _within(post: Fields, depth: int = 0) -> Iterator[Fields]:
    """The post and the whole posts among its references, each with its author's id where only the author is there."""
    author = mapping(post.get("author")).get("id")
    yield {"author_id": author, **post} if author is not None and "author_id" not in post else post
    for reference in items(either(post, "referenced_tweets", "referenced_posts")):
        if "text" in reference and depth < 3:
            yield from _within(reference, depth + 1)


def merged(pages: list[Page]) -> Page:
    """Several small pages as one, to store many lines in one transaction."""
    whole = Page()
    for page in pages:
        for name in _LISTS:
            getattr(whole, name).extend(getattr(page, name))
    return whole
