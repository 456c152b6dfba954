"""`resonance analyse cascades`: the contract of its rows, and what it says about bad ones."""

import csv
import gzip
import json
import sys

import pytest

from tests.analysis.cascade_worlds import world

FIELDS = ["cascade", "observed", "forecast", "low", "high", "p_top5", "reproduction"]


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command in this process; gives its exit code, its lines and what it said."""
    from resonance.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["resonance", "analyse", "cascades", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, said = capsys.readouterr()
        return ended.value.code, [json.loads(line) for line in out.splitlines()], said

    return call


def write(path, rows, columns=("cascade", "time", "followers")):
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def rows_of(cascades, until=float("inf")):
    for i, cascade in enumerate(cascades):
        yield f"c{i}", 0, 100
        yield from ((f"c{i}", t, "") for t in cascade.times if t <= until)


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    return write(tmp_path_factory.mktemp("past") / "history.csv", rows_of(world(60, seed=1)))


def test_every_cascade_gets_the_promised_fields_in_order(run, tmp_path):
    path = write(tmp_path / "now.csv", rows_of(world(5, seed=3), until=3600))
    code, answers, said = run("--observe", 3600, path)
    assert (code, said) == (0, "")
    assert [a["cascade"] for a in answers] == [f"c{i}" for i in range(5)]
    for answer in answers:
        assert list(answer) == FIELDS
        assert answer["observed"] <= answer["low"] <= answer["forecast"] <= answer["high"]
        assert 0 <= answer["p_top5"] <= 1
        assert isinstance(answer["low"], int)


def test_rows_after_the_horizon_are_not_looked_at(run, tmp_path):
    cascades = world(5, seed=3)
    cut = run("--observe", 600, write(tmp_path / "cut.csv", rows_of(cascades, until=600)))
    whole = run("--observe", 600, write(tmp_path / "whole.csv", rows_of(cascades)))
    assert cut == whole


def test_it_learns_from_a_history(run, tmp_path, history):
    path = write(tmp_path / "now.csv", rows_of(world(5, seed=3), until=3600))
    _, default, _ = run("--observe", 3600, path)
    code, learned, said = run("--observe", 3600, "--history", history, path)
    assert (code, said) == (0, "")
    assert [a["observed"] for a in learned] == [a["observed"] for a in default]
    assert [a["forecast"] for a in learned] != [a["forecast"] for a in default]


def test_counts_and_events_json_lines_and_gzip(run, tmp_path):
    rows = [{"cascade": 7, "time": 0, "count": 1}, {"cascade": 7, "time": 1800, "count": 30}]
    rows += [{"cascade": "二", "time": 5}, {"cascade": "二", "time": 0}]
    path = tmp_path / "now.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode()))
    code, answers, _ = run("--observe", 3600, path)
    assert code == 0
    assert [(a["cascade"], a["observed"]) for a in answers] == [("7", 30), ("二", 2)]


def test_the_root_is_counted_once_and_may_be_left_out(run, tmp_path):
    path = write(tmp_path / "a.csv", [("a", 0, ""), ("a", 0, ""), ("a", 9, ""), ("b", 9, "")])
    _, answers, _ = run("--observe", 60, path)
    assert [a["observed"] for a in answers] == [3, 2]


def test_bad_lines_are_named_and_skipped(run, tmp_path):
    bad = [("a", "soon", ""), ("a", -1, ""), ("", 1, ""), ("a", 2, -5), ("a", "inf", "")]
    path = write(tmp_path / "a.csv", [("a", 0, ""), *bad, ("a", 3, 10)])
    code, answers, said = run("--observe", 60, path)
    assert (code, answers[0]["observed"]) == (0, 2)
    for line, why in enumerate(["not a number", "before the root", "empty", "negative", "finite"], 3):
        assert f"a.csv:{line}:" in said
        assert why in said
    assert "2 of 7 lines used, 5 skipped" in said
    assert run("--observe", 60, "--strict", path)[0] == 1


@pytest.mark.parametrize("count", ["0", "1.5", "1e12", "many"])
def test_counts_that_cannot_be(run, tmp_path, count):
    path = write(tmp_path / "a.csv", [("a", 0, 1), ("a", 5, count)], ("cascade", "time", "count"))
    code, answers, said = run("--observe", 60, path)
    assert (code, answers[0]["observed"]) == (0, 1)
    assert "a.csv:3: count is not a" in said


@pytest.mark.parametrize("observe", ["0", "-5", "nan", "inf", "700000"])
def test_a_horizon_that_cannot_be(run, tmp_path, observe):
    code, answers, said = run("--observe", observe, write(tmp_path / "a.csv", [("a", 0, "")]))
    assert (code, answers) == (2, [])
    assert "604800" in said


def test_mixed_kinds_are_refused_with_the_name(run, tmp_path):
    path = write(tmp_path / "a.csv", [("a", 0, ""), ("a", 5, 3)], ("cascade", "time", "count"))
    code, _, said = run("--observe", 60, path)
    assert code == 2
    assert "'a'" in said


def test_a_short_history_is_refused_with_a_way_out(run, tmp_path):
    path = write(tmp_path / "a.csv", [("a", 0, "")])
    code, _, said = run("--observe", 60, "--history", path, path)
    assert code == 1
    assert "at least 20" in said
    assert "Leave --history out" in said


def test_nothing_within_the_horizon_is_no_error(run, tmp_path):
    assert run("--observe", 60, write(tmp_path / "a.csv", [("a", 100, "")])) == (0, [], "")


def test_a_missing_column_is_named(run, tmp_path):
    code, _, said = run("--observe", 60, write(tmp_path / "a.csv", [("a", 1)], ("cascade", "when")))
    assert code == 2
    assert "'time'" in said


def test_help_has_an_example():
    from click.testing import CliRunner

    from resonance.commands.analyse_cascades import cascades

    shown = CliRunner().invoke(cascades, ["--help"]).output
    assert "--history finished.csv now.csv" in shown
