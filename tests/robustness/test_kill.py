"""SIGKILL at any instruction of a cycle, again and again: the next process goes on, and nothing is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from tests.resonance.house import BEGIN
from tests.robustness.deaths import (
    STEPS,
    Parent,
    assert_marks_true,
    assert_told_at_most_once,
    assert_whole,
    contents,
    doomed,
    prepare,
    same,
)

DEATHS = 4  # in each step, by seed
KINDS = ("calls", "opcodes", "statements", "seconds")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def parent(base: Path) -> Iterator[Parent]:
    started = Parent(base)
    yield started
    started.close()


@pytest.fixture(scope="module")
def undisturbed(base: Path, parent: Parent, tmp_path_factory: pytest.TempPathFactory):
    """What a process that lives leaves, and how much it does in each step."""
    with doomed(base, parent, tmp_path_factory.mktemp("undisturbed")) as (home, victim):
        counted = []
        for minutes in STEPS:
            home.now = BEGIN + timedelta(minutes=minutes)
            answer = victim.run(count=True)
            assert answer["code"] == 0, victim.told()
            counted.append(victim.counted() | {"seconds": answer["took"]})
        assert home.count("incidents") >= 1 and home.count("deliveries", "state = 'sent'") >= 2
        assert home.count("cascades") and home.count("runs", "state = 'done'") == len(STEPS)
        assert_whole(home)
        return contents(home.store), counted


@pytest.mark.parametrize("seed", range(3))
def test_killed_anywhere_it_goes_on(base: Path, parent: Parent, undisturbed, seed: int, tmp_path: Path) -> None:
    expected, counted = undisturbed
    random, least = Random(seed), {kind: 0.8 * min(amounts[kind] for amounts in counted) for kind in KINDS}
    with doomed(base, parent, tmp_path) as (home, victim):
        for minutes, amounts in zip(STEPS, counted, strict=True):
            home.now = BEGIN + timedelta(minutes=minutes)
            before, most = victim.deaths, amounts
            for _ in range(3 * DEATHS):
                kind = random.choice(KINDS)
                at = random.uniform(0, most[kind])
                victim.run(**{kind: at if kind == "seconds" else 1 + int(at)})
                if victim.deaths == before + DEATHS:
                    break
                most = least  # who goes on where another one died has less to do
            answer = victim.run()
            assert answer["signal"] == 0 and answer["code"] in (0, 1), victim.told()
        assert victim.deaths >= 10  # of 12, in each of three seeds
        assert_whole(home)
        same(contents(home.store), expected)
        assert_marks_true(home)
        assert_told_at_most_once(home)


def test_killed_behind_every_job_it_goes_on(base: Path, parent: Parent, undisturbed, tmp_path: Path) -> None:
    expected, counted = undisturbed
    with doomed(base, parent, tmp_path) as (home, victim):
        for minutes in STEPS:
            home.now = BEGIN + timedelta(minutes=minutes)
            if minutes == STEPS[0]:
                for number in range(1, counted[0]["jobs"] + 1):
                    assert victim.run(jobs=number)["signal"]
            assert victim.run()["code"] == 0, victim.told()
        assert victim.deaths == counted[0]["jobs"] >= 9
        assert_whole(home)
        same(contents(home.store), expected)
        assert_marks_true(home)
        assert_told_at_most_once(home)
        assert home.count("deliveries", "state = 'sent'") == home.count("deliveries")


@pytest.mark.parametrize(
    ("where", "arrived"),
    [
        ("deliver", 0),  # queued, and committed as such
        ("attempt_of", 0),  # `sending` is committed, the call not made
        ("_Pass._record", 1),  # the peer has it, and nobody wrote that down
    ],
)
def test_killed_around_a_call_nothing_is_told_twice(
    base: Path, parent: Parent, where: str, arrived: int, tmp_path: Path
) -> None:
    with doomed(base, parent, tmp_path) as (home, victim):
        home.now = BEGIN + timedelta(minutes=STEPS[0])
        assert home.sandbox.slack is not None and home.sandbox.smtp is not None
        assert victim.run(function=where)["signal"]
        assert home.count("deliveries", "state = 'sending'") == (0 if where == "deliver" else arrived + 1)
        for minutes in (1, 2):
            home.now += timedelta(minutes=minutes)
            victim.run()
        assert_told_at_most_once(home)
        unsure = home.count("deliveries", "state = 'maybe_sent'")
        received = len(home.sandbox.slack.messages) + len(home.sandbox.smtp.messages)
        assert home.count("deliveries") == 2
        if where == "deliver":
            assert (received, unsure) == (2, 0)
        else:
            assert unsure >= 1 and 2 - unsure <= received <= 2
