"""What the tests of the sandbox share: a clock to step, short builders, real clients, shapes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tweepy
from mastodon import Mastodon
from requests.adapters import HTTPAdapter

from sandbox.world import Like, Person, Post, Reshare, World, mastodon_id, x_id

FIXTURES = Path(__file__).parent.parent / "fixtures"
START = datetime(2026, 10, 12, 12, 0, tzinfo=UTC)
ALL_FIELDS = {
    "tweet_fields": "author_id,created_at,conversation_id,in_reply_to_user_id,referenced_tweets,public_metrics,"
    "entities,lang,note_tweet,edit_history_tweet_ids,possibly_sensitive,withheld",
    "user_fields": "created_at,description,public_metrics,protected,verified,username,name,id",
    "expansions": "author_id,referenced_tweets.id,referenced_tweets.id.author_id,in_reply_to_user_id,"
    "entities.mentions.username",
}


class Clock:
    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def step(self, **delta: float) -> None:
        self.now += timedelta(**delta)


def at(**delta: float) -> datetime:
    """A moment before START (negative) or after it."""
    return START + timedelta(**delta)


class Builder:
    """Adds people and posts to a world with as few words as a test needs."""

    def __init__(self) -> None:
        self.world = World()
        self.serial = 0

    def person(self, key: str, network: str = "x", **details: Any) -> Person:
        details.setdefault("handle", f"user{key}")
        details.setdefault("name", f"User {key}")
        self.world.people[key] = person = Person(key, network, **details)  # type: ignore[arg-type]
        return person

    def post(self, author: str, text: str, when: datetime, **details: Any) -> Post:
        self.serial += 1
        network = self.world.people[author].network
        new_id = x_id if network == "x" else mastodon_id
        details.setdefault("lang", "en")
        post = Post(new_id(when, self.serial), network, author, text, created_at=when, **details)
        self.world.posts[post.id] = post
        return post

    def reshare(self, by: str, post: Post, when: datetime) -> Reshare:
        self.serial += 1
        new_id = x_id if post.network == "x" else mastodon_id
        reshare = Reshare(new_id(when, self.serial), by, post.id, when)
        self.world.reshares.append(reshare)
        return reshare

    def like(self, by: str, post: Post, when: datetime) -> None:
        self.world.likes.append(Like(by, post.id, when))


class Redirect(HTTPAdapter):
    """Sends what tweepy addresses to api.twitter.com to the sandbox, with a timeout."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def send(self, request: Any, **options: Any) -> Any:
        request.url = request.url.replace("https://api.twitter.com", self.base, 1)
        options["timeout"] = 5
        return super().send(request, **options)


def x_client(base: str, token: str = "sandbox-x-token", **options: Any) -> tweepy.Client:
    client = tweepy.Client(token, wait_on_rate_limit=False, **options)
    client.session.mount("https://api.twitter.com", Redirect(base))
    return client


def raw_client(base: str) -> tweepy.Client:
    """Answers as dictionaries, exactly as they came."""
    return x_client(base, return_type=dict)


def mastodon_client(base: str, token: str | None = None) -> Mastodon:
    return Mastodon(api_base_url=base, access_token=token, ratelimit_method="throw", request_timeout=5)


def shape_of(value: Any, path: str = "$") -> Iterable[tuple[str, str]]:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    yield path, kinds.get(type(value), "null")
    if isinstance(value, dict):
        for key, item in value.items():
            yield from shape_of(item, f"{path}.{key}")
    if isinstance(value, list):
        for item in value:
            yield from shape_of(item, f"{path}[]")


def recorded(name: str) -> dict[str, str]:
    """A recorded shape: path to types, with a question mark first where not every object has the path."""
    shapes = json.loads((FIXTURES / "recorded_shapes.json").read_text())
    paths: dict[str, str] = shapes[name]["paths"]
    return paths


def differences(value: Any, shape: dict[str, str], *others: dict[str, str]) -> list[str]:
    """Paths of `value` that no shape has with that type, and paths that every object of the first shape has."""
    found = list(shape_of(value))
    shapes = (shape, *others)
    kinds = {path: {kind for one in shapes for kind in one.get(path, "").lstrip("?").split("|")} for path, _ in found}
    wrong = [f"{path}: {kind}" for path, kind in found if kind not in kinds[path]]
    have = {path for path, _ in found}
    needed = [path for path, kinds in shape.items() if not kinds.startswith("?")]
    missing = [f"{path}: missing" for path in needed if path not in have and _reachable(path, have)]
    return wrong + missing


def _reachable(path: str, have: set[str]) -> bool:
    """Whether the parent of a path is there, so that its absence means something (empty lists have no items)."""
    parent = path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]
    return parent in have and not path.endswith("[]")
