"""The sandbox as a whole: starting, stopping, threads, and its promise to know nothing of the product."""

from __future__ import annotations

import ast
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import requests

import sandbox as package
from sandbox.index import NetworkIndex, Timeline
from sandbox.network import Sandbox
from sandbox.world import Edit
from tests.sandbox.sandbox_tools import START, Builder, Clock, at, mastodon_client, x_client

OURS = {"config", "store", "collector", "analysis", "alerts", "resonance"}
SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])
def test_the_sandbox_imports_nothing_of_ours(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.split(".")[0] in OURS and name != "store.records"}


def test_starts_only_what_is_asked_for_and_stops_it(tmp_path: Path) -> None:
    with Sandbox(Builder().world, Clock(), x=False, mastodon=(), slack=True, smtp=True, folder=tmp_path) as sandbox:
        assert (sandbox.x_url, sandbox.mastodon_url) == ("", "")
        assert sandbox.slack is not None
        assert sandbox.smtp is not None
        address = sandbox.slack.webhook_url
        assert requests.post(address, json={"text": "x"}, timeout=5).text == "ok"
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(address, json={"text": "x"}, timeout=5)
    assert (tmp_path / "slack" / "message-001.json").exists()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name == "sandbox-slack"]


def test_every_port_is_on_loopback_and_its_own() -> None:
    with Sandbox(Builder().world, Clock(), mastodon=["a.sandbox", "b.sandbox"]) as sandbox:
        urls = [sandbox.x_url, *sandbox.mastodon_urls.values()]
    assert len(set(urls)) == 3
    assert all(url.startswith("http://127.0.0.1:") for url in urls)


def test_what_is_added_or_changed_while_it_runs_is_seen() -> None:
    build = Builder()
    build.person("1")
    post = build.post("1", "one #tea", at(hours=-1))
    with Sandbox(build.world, Clock(), mastodon=()) as sandbox:
        client = x_client(sandbox.x_url)
        assert len(client.search_recent_tweets("#tea").data) == 1
        build.post("1", "two #tea", at(minutes=-30))
        assert len(client.search_recent_tweets("#tea").data) == 2
        post.edits.append(Edit(at(minutes=-20), "edited #tea"))
        build.world.revision += 1
        assert client.search_recent_tweets("#tea").data[0].text == "edited #tea"
        build.world.posts.pop(post.id)
        assert [one.text for one in client.search_recent_tweets("#tea").data] == ["two #tea"]


def test_many_threads_get_the_same_answer() -> None:
    build = Builder()
    build.person("1")
    build.person("2", "mastodon", handle="writer")
    for minute in range(30):
        build.post("1", "#tea", at(minutes=-minute - 1))
        build.post("2", "#tea", at(minutes=-minute - 1))
    with Sandbox(build.world, Clock()) as sandbox, ThreadPoolExecutor(6) as pool:

        def ask(number: int) -> int:
            if number % 2:
                headers = {"Authorization": "Bearer sandbox-x-token"}
                address = f"{sandbox.x_url}/2/tweets/search/recent?query=%23tea&max_results=100"
                return len(requests.get(address, headers=headers, timeout=20).json()["data"])
            address = f"{sandbox.mastodon_url}/api/v1/timelines/tag/tea?limit=40"
            return len(requests.get(address, timeout=20).json())

        assert set(pool.map(ask, range(60))) == {30}


def test_the_limit_clock_may_be_another() -> None:
    limits = Clock(START + timedelta(days=30))
    with Sandbox(Builder().world, Clock(), x=False, mastodon_options={"limit_clock": limits}) as sandbox:
        answer = requests.get(f"{sandbox.mastodon_url}/api/v1/timelines/public", timeout=5)
    assert answer.headers["x-ratelimit-reset"].startswith("2026-11-11T12:05:00")


def test_both_networks_show_the_same_story_at_the_same_time() -> None:
    build, clock = Builder(), Clock()
    build.person("1")
    build.person("2", "mastodon", handle="writer")
    for hours in range(1, 5):
        build.post("1", "#tea", at(hours=hours))
        build.post("2", "#tea", at(hours=hours))
    with Sandbox(build.world, clock) as sandbox:
        x, fediverse = x_client(sandbox.x_url), mastodon_client(sandbox.mastodon_url)
        seen = []
        for _ in range(4):
            clock.step(hours=1, minutes=1)
            found = x.search_recent_tweets("#tea").data or []
            seen.append((len(found), len(fediverse.timeline_hashtag("tea"))))
    assert seen == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_timeline_counts_and_slices() -> None:
    line = Timeline([(at(hours=2), "b"), (at(hours=1), "a"), (at(hours=3), "c")])
    assert line.count(at(hours=2)) == 2
    assert line.until(at(hours=2)) == ["a", "b"]
    assert line.between(at(hours=2), at(hours=3)) == ["b"]


def test_roots_of_conversations_end_also_in_circles_and_gaps() -> None:
    build = Builder()
    build.person("1")
    root = build.post("1", "root", at(hours=-4))
    reply = build.post("1", "reply", at(hours=-3), reply_to=root.id)
    deep = build.post("1", "deep", at(hours=-2), reply_to=reply.id)
    orphan = build.post("1", "orphan", at(hours=-2), reply_to="77")
    circle = build.post("1", "circle", at(hours=-2))
    circle.reply_to = circle.id
    index = NetworkIndex(build.world, "x")
    roots = {post.text: index.root(post) for post in (deep, reply, root, orphan, circle)}
    assert roots == {"deep": root.id, "reply": root.id, "root": root.id, "orphan": "77", "circle": circle.id}
