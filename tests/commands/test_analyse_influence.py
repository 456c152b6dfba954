"""`resonance analyse influence` and `coordination`: what they read, print and say."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.graph import Interactions
from analysis.influence import score_accounts
from resonance.cli import cli
from resonance.errors import NothingUsable, UsageError

HEADER = "source,target,time,kind,followers,item\n"
ROWS = [
    "a,x,2026-11-21T10:00:00Z,reshare,120,p1",
    "b,x,2026-11-21T12:00:00+02:00,quote,120,p1",
    "c,x,2026-11-21T10:30:00Z,reply,130,",
    "c,y,2026-11-21T11:00:00,mention,,p2",
    "d,x,2026-11-23T00:00:00Z,reshare,120,p1",
]
UNTIL = ("--until", "2026-11-22T00:00:00Z")


def call(*words, **more):
    return CliRunner().invoke(cli, ["analyse", *words], **more)


def answers(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "i.csv"
    path.write_text(HEADER + "\n".join(ROWS) + "\n", encoding="utf-8")
    return str(path)


def test_influence_answers_every_account(table):
    rows = answers(call("influence", *UNTIL, table))
    assert rows[0]["account"] == "x" and {r["account"] for r in rows} == set("abcxy")
    first = rows[0]
    assert {"resonance", "low", "high", "community", "subcommunity", "rank", "follower_rank", "parts_missing"} <= set(
        first
    )
    assert first["rank"] == first["follower_rank"] == 1 and first["followers"] == 130
    assert first["items"] == ["p1"] and first["parts_missing"] == ["not_negative"]


def test_the_command_prints_what_the_function_answers(tmp_path):
    rng = np.random.default_rng(1)
    rows = [(f"a{s}", f"a{t}", 1.7e9 + 600.0 * i, "reshare") for i, (s, t) in enumerate(rng.integers(0, 30, (200, 2)))]
    path = tmp_path / "i.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps({"source": s, "target": t, "time": m, "kind": k}) + "\n" for s, t, m, k in rows)
    printed = answers(call("influence", "--until", "2030-01-01", "--seed", "5", str(path)))
    columns = Interactions.build(*zip(*rows, strict=True))
    direct = score_accounts(columns, 1893456000.0, seed=5)
    assert [r["account"] for r in printed] == [r.account for r in direct]
    assert [r["resonance"] for r in printed] == pytest.approx([r.resonance for r in direct], rel=1e-6)
    assert [r["community"] for r in printed] == [r.community for r in direct]


def test_bad_lines_are_named_and_skipped(tmp_path):
    path = tmp_path / "bad.csv"
    bad = ["a,x,yesterday,reshare,1,p", "a,x,2026-11-21T10:00:00Z,like,1,p", ",x,2026-11-21T10:00:00Z,reply,1,p"]
    path.write_text(HEADER + "\n".join(ROWS + bad), encoding="utf-8")
    result = call("influence", *UNTIL, str(path))
    assert len(answers(result)) == 5
    assert (
        "time is not a time" in result.stderr
        and "kind is none of" in result.stderr
        and "source is empty" in result.stderr
    )
    assert "bad.csv:8" in result.stderr
    assert call("influence", *UNTIL, "--strict", str(path), standalone_mode=False).return_value == 1


def test_own_accounts_are_left_out_and_said(table):
    result = call("influence", *UNTIL, "--own", "x", table)
    rows = {r["account"]: r for r in answers(result)}
    assert rows["x"]["resonance"] == 0 and rows["x"]["resonance_all"] > 0 and rows["x"]["flags"] == ["own"]
    assert "3 of 4 interactions left out (own 3)" in result.stderr


def test_influence_without_usable_rows_says_why(tmp_path, table):
    result = call("influence", "--until", "2020-01-01", table)
    assert isinstance(result.exception, NothingUsable) and "--until" in str(result.exception)
    path = tmp_path / "no.csv"
    path.write_text("source,target\na,b\n")
    assert isinstance(call("influence", *UNTIL, str(path)).exception, UsageError)
    assert call("influence", "--until", "soon", table).exit_code == 2
    assert call("influence", table).exit_code == 2


def ring_file(tmp_path):
    rng = np.random.default_rng(2)
    lines = ["account,item,time"]
    for item in range(40):
        base = 1.7e9 + 90_000 * item
        lines += [f"c{rng.integers(500)},i{item},{base + t:.0f}" for t in rng.exponential(9000, 80)]
        if item < 10:
            moment = base + rng.uniform(0, 20_000)
            lines += [f"ring{m},i{item},{moment + m}" for m in range(5)]
    path = tmp_path / "shares.csv"
    # times as ISO, as the format asks of CSV
    rows = [line.rsplit(",", 1) for line in lines[1:]]
    iso = [f"{head},{np.datetime64(int(float(t)), 's')}Z" for head, t in rows]
    path.write_text("\n".join([lines[0], *iso]) + "\n")
    return str(path)


def test_coordination_names_the_ring(tmp_path):
    rows = answers(call("coordination", "--window", "60", ring_file(tmp_path)))
    assert all(r["source"].startswith("ring") and r["target"].startswith("ring") for r in rows[:10])
    assert set(rows[0]) == {"source", "target", "score", "co_shares", "common", "items"}
    assert rows[0]["co_shares"] == 10 and 0.6 < rows[0]["score"] <= 1 and len(rows[0]["items"]) == 5


def test_coordination_skips_bad_lines(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text('{"account":"a","item":"i","time":"2026-01-01T00:00:00Z"}\nnonsense\n{"account":"a"}\n')
    result = call("coordination", str(path))
    assert answers(result) == []
    assert "c.jsonl:2" in result.stderr and "'item' is missing" in result.stderr


@pytest.mark.parametrize("verb", ["influence", "coordination"])
def test_help_has_examples(verb):
    result = call(verb, "--help")
    assert result.exit_code == 0 and "Examples" in result.output and f"resonance analyse {verb}" in result.output


def test_suspected_coordination_in_the_file_is_left_out(tmp_path):
    rng = np.random.default_rng(3)
    lines = [HEADER.strip()]
    for post in range(30):
        base = np.datetime64("2026-11-20T00:00:00") + np.timedelta64(int(3000 * post), "s")
        lines += [
            f"c{rng.integers(400)},author{post % 6},{base + np.timedelta64(int(t), 's')}Z,reshare,,post{post}"
            for t in rng.exponential(4000, 60)
        ]
        if post % 3 == 0:
            moment = int(rng.uniform(0, 9000))
            lines += [
                f"ring{m},author0,{base + np.timedelta64(moment + m, 's')}Z,reshare,,post{post}" for m in range(6)
            ]
    path = tmp_path / "r.csv"
    path.write_text("\n".join(lines) + "\n")
    result = call("influence", *UNTIL, str(path))
    rows = {r["account"]: r for r in answers(result)}
    assert rows["ring0"]["flags"] == ["coordinated"] and "coordinated 60" in result.stderr
    assert rows["author0"]["resonance_all"] > rows["author0"]["resonance"]
    everything = {r["account"]: r for r in answers(call("influence", "--all", *UNTIL, str(path)))}
    assert everything["author0"]["resonance"] == pytest.approx(rows["author0"]["resonance_all"], abs=1e-3)
