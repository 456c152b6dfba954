"""The demo: its judge on incidents made up for the purpose, a shortened play end to end, and its folder."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from config import load
from resonance.commands.demo import MARK, _prepare
from resonance.demo.artifacts import write_artifacts
from resonance.demo.judge import Judgement, judge
from resonance.demo.play import STEP, Played, play
from resonance.demo.report import Report
from resonance.errors import UserError
from sandbox.story import brand, build
from sandbox.world import Event, Person, Post, World, x_id
from store import Store
from store.records import iso
from tests.commands.cli import call

T0 = datetime.fromisoformat("2026-10-16T00:00:00Z")
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "r.sqlite")
    yield opened
    opened.close()


def world() -> World:
    """A false start at 2, a viral post at 6, a crisis from 20 to 30 o'clock."""
    found = World()
    root = x_id(T0 + 6 * HOUR)
    found.people["1"] = Person("1", "x", "a", "A")
    found.posts[root] = Post(root, "x", "1", "viral", "ja", T0 + 6 * HOUR)
    found.events = [
        Event("fuss", "false_start", T0 + 2 * HOUR, T0 + 3 * HOUR, "Fuss", "騒ぎ"),
        Event("post", "viral", T0 + 6 * HOUR, T0 + 16 * HOUR, "Post", "投稿", root),
        Event("crisis", "crisis", T0 + 20 * HOUR, T0 + 30 * HOUR, "Crisis", "炎上"),
    ]
    return found


def raised(store: Store, *incidents: tuple[str, str, float], historic: int = 0) -> Judgement:
    story = world()
    with store.write() as connection:
        for rule, subject, hour in incidents:
            subject = f"x:{next(iter(story.posts))}" if subject == "root" else subject
            connection.execute(
                "INSERT INTO incidents (topic, rule, subject, state, historic, severity, began_at, opened_at, "
                "updated_at, last_active_at, facts) VALUES ('t', ?, ?, 'open', ?, 'info', ?, ?, '', '', '{}')",
                (rule, subject, historic, *(iso(T0 + hour * HOUR),) * 2),
            )
    return judge(store, story)


def right(judgement: Judgement) -> dict[str, bool]:
    return {v.event.slug: v.right for v in judgement.verdicts}


def test_nothing_told_is_two_misses_and_rightly_silent(store: Store) -> None:
    judgement = raised(store)
    assert right(judgement) == {"fuss": True, "post": False, "crisis": False}
    assert (judgement.hits, judgement.misses, judgement.false_alarms) == (0, 2, [])
    assert all(v.delay is None for v in judgement.verdicts)


def test_hits_with_their_delay(store: Store) -> None:
    judgement = raised(store, ("viral_cascade", "root", 7), ("negative_surge", "t", 21.5), ("volume_spike", "t", 24))
    assert (judgement.hits, judgement.misses, judgement.false_alarms) == (2, 0, [])
    assert [v.delay for v in judgement.verdicts] == [None, HOUR, 1.5 * HOUR]
    assert [len(v.raised) for v in judgement.verdicts] == [0, 1, 2]


def test_a_false_start_that_is_told_is_a_false_alarm(store: Store) -> None:
    judgement = raised(store, ("volume_spike", "t", 3.5))
    assert not right(judgement)["fuss"] and [r.rule for r in judgement.false_alarms] == ["volume_spike"]


@pytest.mark.parametrize(
    "incident",
    [
        ("viral_cascade", "x:999", 7),  # another post
        ("viral_cascade", "root", 5.9),  # before it happened
        ("volume_spike", "t", 12),  # the topic as a whole, while one post spreads
        ("volume_spike", "t", 32.1),  # long after everything
        ("rising_user", "x:1", 22),  # a rule that tells of no event
    ],
)
def test_what_is_about_no_event_is_a_false_alarm(store: Store, incident: tuple[str, str, float]) -> None:
    judgement = raised(store, incident)
    assert judgement.hits == 0 and len(judgement.false_alarms) == 1


def test_history_tells_nobody(store: Store) -> None:
    judgement = raised(store, ("volume_spike", "t", 21), historic=1)
    assert (judgement.hits, judgement.false_alarms) == (0, [])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Played, World, Path, list[str]]]:
    folder = tmp_path_factory.mktemp("demo")
    told: list[str] = []
    story = build(7)
    done = play(story, folder, "ja", told.append, lambda _: None, end=brand.VIRAL_AT + timedelta(hours=2))
    yield done, story, folder, told
    done.store.close()


def test_the_play_collects_what_the_story_holds(played: tuple[Played, World, Path, list[str]]) -> None:
    done, story, _, told = played
    assert done.problems == [] and done.requests > 50 and done.scored > 500
    assert len([line for line in told if line.startswith("resonance import")]) == 2
    end = from_steps()
    assert done.store.one("SELECT MAX(created_at) FROM posts") <= iso(end)
    live = [p for p in story.posts.values() if brand.LIVE_FROM < p.created_at <= end - STEP and p.network == "x"]
    public = {
        f"x:{p.id}"
        for p in live
        if not story.people[p.author].protected
        and not p.deleted_at
        and (brand.NAME_JA in p.text or "inatsuba" in p.text)
    }
    stored = {r[0] for r in done.store.query("SELECT post_id FROM matches WHERE topic = 'minatsuba'")}
    assert len(public) > 20 and public <= stored


def from_steps() -> datetime:
    """The last step of the play."""
    steps = -(-(brand.VIRAL_AT + timedelta(hours=2) - brand.LIVE_FROM) // STEP)
    return brand.LIVE_FROM + steps * STEP


def test_the_false_start_stays_untold_and_the_verdicts_are_printed(
    played: tuple[Played, World, Path, list[str]],
) -> None:
    done, story, folder, _ = played
    judgement = judge(done.store, story)
    assert right(judgement)["lunch-queue"]
    out = io.StringIO()
    report = Report(Console(file=out, width=160))
    report.story(story)
    report.verdicts(judgement)
    report.mood(done.store, "minatsuba")
    report.people(done.store, "minatsuba")
    report.cascades(done.store, "minatsuba", [])
    artifacts = write_artifacts(folder)
    report.files(artifacts, first=1)
    report.closing(done, folder, 1.0)
    printed = out.getvalue()
    for event in story.events:
        assert event.title_en in printed
    assert "rightly silent" in printed and "follower rank" in printed and "Noticed on the way" not in printed
    assert f"{judgement.hits} hits, {judgement.misses} misses" in printed
    sent = done.store.one("SELECT COUNT(*) FROM deliveries WHERE state = 'sent' AND channel = 'slack'")
    assert sent == sum(kind == "Slack message (JSON)" for kind, _ in artifacts.files) >= 1


def test_what_arrived_lies_in_files_that_open(played: tuple[Played, World, Path, list[str]]) -> None:
    _, _, folder, _ = played
    files: dict[str, Path] = {}
    for kind, path in write_artifacts(folder).files:
        files.setdefault(kind, path)
    assert {
        "Slack message (JSON)",
        "Slack message (text)",
        "Email",
        "Email (HTML)",
        "Email (text)",
        "Chart (PNG)",
    } <= set(files)
    assert json.loads(files["Slack message (JSON)"].read_text())["payload"]["text"]
    assert files["Chart (PNG)"].read_bytes().startswith(b"\x89PNG")
    html = files["Email (HTML)"].read_text()
    assert files["Chart (PNG)"].name in html and "cid:" not in html and "<script" not in html
    assert any(ord(letter) > 0x3000 for letter in files["Slack message (text)"].read_text())


def test_the_three_queries_work_without_us(played: tuple[Played, World, Path, list[str]]) -> None:
    done, _, folder, _ = played
    out = io.StringIO()
    Report(Console(file=out, width=300)).closing(done, folder, 1.0)
    queries = [line.split('"')[1] for line in out.getvalue().splitlines() if "sqlite3 -box" in line]
    assert len(queries) == 3
    with sqlite3.connect(f"file:{done.settings.database}?mode=ro", uri=True) as plain:
        assert all(plain.execute(query).fetchall() for query in queries)
    plain.close()
    assert load(folder / "resonance.toml").topics[0].slug == "minatsuba"


def test_only_a_demos_folder_is_ever_emptied(tmp_path: Path) -> None:
    mine = tmp_path / "work"
    mine.mkdir()
    (mine / "resonance.toml").write_text("# my own configuration")
    done = call("demo", "--output", mine)
    assert done.code == 1 and "not a demo's" in done.err
    assert (mine / "resonance.toml").read_text() == "# my own configuration"
    file = tmp_path / "file"
    file.touch()
    assert call("demo", "--output", file).code == 2
    fresh = tmp_path / "fresh"
    _prepare(fresh)
    (fresh / "old").touch()
    _prepare(fresh)
    assert [p.name for p in fresh.iterdir()] == [MARK]
    with pytest.raises(UserError):
        _prepare(mine)
