"""`resonance analyse spikes` on files: the contract of its rows, bad lines, options."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from resonance.cli import cli
from resonance.errors import NothingUsable, UsageError

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
FIELDS = ["timestamp", "expected", "low", "high", "surprise", "score", "alert", "active", "direction", "state"]


def rows(days=8, per_row=30, burst_day=6):
    rng = np.random.default_rng(1)
    out = []
    for i in range(days * 24):
        value = int(rng.poisson(per_row)) * (8 if burst_day * 24 + 12 <= i < burst_day * 24 + 14 else 1)
        out.append({"timestamp": (BEGIN + timedelta(hours=i)).isoformat().replace("+00:00", "Z"), "value": value})
    return out


def write_csv(path, table):
    names = list(table[0])
    path.write_text("\n".join([",".join(names), *(",".join(str(r[n]) for n in names) for r in table)]) + "\n")
    return str(path)


def run(*words, **more):
    result = CliRunner().invoke(cli, ["analyse", "spikes", *words], standalone_mode=False, **more)
    return result, [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def test_a_row_out_for_each_row_in_with_the_fields_of_the_contract(tmp_path):
    table = rows()
    result, answers = run(write_csv(tmp_path / "s.csv", table))
    assert result.exception is None
    assert result.return_value == 0
    assert [list(a) for a in answers] == [FIELDS] * len(table)
    assert [a["timestamp"] for a in answers] == [r["timestamp"] for r in table]
    assert all(0 <= a["score"] <= 1 for a in answers)
    assert {a["state"] for a in answers} == {"warming_up", "ok"}
    opened = [i for i, a in enumerate(answers) if a["alert"]]
    assert opened == [6 * 24 + 12]
    assert answers[opened[0]]["direction"] == "up"
    assert answers[opened[0]]["expected"] == pytest.approx(30, rel=0.3)
    assert answers[0]["expected"] is None


def test_json_lines_gzip_and_standard_input_give_the_same(tmp_path):
    table = rows(days=5)
    text = "".join(json.dumps(r) + "\n" for r in table)
    packed = tmp_path / "s.jsonl.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    from_csv = run(write_csv(tmp_path / "s.csv", table))[1]
    assert run(str(packed))[1] == from_csv
    command = [sys.executable, "-c", "from resonance.cli import main; main()", "analyse", "spikes", "-"]
    piped = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in piped.stdout.splitlines()] == from_csv


def test_the_first_rows_alone_get_the_same_answers(tmp_path):
    table = rows()
    whole = run(write_csv(tmp_path / "whole.csv", table))[1]
    part = run(write_csv(tmp_path / "part.csv", table[:150]))[1]
    assert part == whole[:150]


def test_shares(tmp_path):
    rng = np.random.default_rng(2)
    table = [dict(r, total=200, value=int(rng.binomial(200, 0.3))) for r in rows()]
    for r in table[6 * 24 + 12 : 6 * 24 + 14]:
        r["value"] = 130
    answers = run(write_csv(tmp_path / "s.csv", table))[1]
    assert [i for i, a in enumerate(answers) if a["alert"]] == [6 * 24 + 12]
    assert all(0 <= a["expected"] <= 1 for a in answers if a["expected"] is not None)


BAD = [
    ({"timestamp": "soon", "value": 1}, "timestamp is not a time"),
    ({"timestamp": "2026-02-01T00:00:00Z", "value": "many"}, "value is not a number"),
    ({"timestamp": "2026-02-01T00:00:00Z", "value": -1}, "value is negative"),
    ({"timestamp": "2026-02-01T00:00:00Z", "value": 3, "total": 2}, "more than its total"),
    ({"timestamp": "2026-02-01T00:00:00Z", "value": 1, "total": 2}, "total is given, unlike"),
    ({"timestamp": "2026-01-05T00:00:00Z", "value": 1}, "not after that of the line before"),
    ({"value": 1}, "'timestamp' is missing"),
]


@pytest.mark.parametrize(("bad", "why"), BAD)
def test_a_bad_line_is_named_and_skipped(tmp_path, bad, why):
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in [*rows(days=1), bad]))
    result, answers = run(str(path))
    assert len(answers) == 24
    assert result.return_value == 0
    assert f"{path}:25: " in result.stderr
    assert why in result.stderr
    assert run("--strict", str(path))[0].return_value == 1


def test_times_without_a_zone_are_in_the_zone_given(tmp_path):
    table = [{"timestamp": "2026-01-05 09:00:00", "value": 1}]
    path = write_csv(tmp_path / "s.csv", table)
    assert run(path)[1][0]["timestamp"] == "2026-01-05T09:00:00Z"
    assert run("--timezone", "Asia/Tokyo", path)[1][0]["timestamp"] == "2026-01-05T00:00:00Z"


@pytest.mark.parametrize("words", [["--timezone", "Mars/Base"], ["--timezone", "../etc"], ["--holidays", "XX"]])
def test_an_unknown_zone_or_country_is_wrong_usage(tmp_path, words):
    result, _ = run(*words, write_csv(tmp_path / "s.csv", rows(days=1)))
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    assert words[1] in str(result.exception)


def test_holidays_change_what_is_expected(tmp_path):
    table = rows(days=28, burst_day=99)
    for i, row in enumerate(table):
        row["value"] = 20 if i // 24 % 7 == 6 else 100
    path = write_csv(tmp_path / "s.csv", table)
    monday = 7 * 24 + 12  # 12 January 2026, Coming of Age Day
    plain, japan = run(path)[1], run("--holidays", "jp", path)[1]
    assert japan[monday]["expected"] < 0.8 * plain[monday]["expected"]


def test_no_usable_line_and_an_empty_file(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("timestamp,value\nx,1\n")
    assert isinstance(run(str(path))[0].exception, NothingUsable)
    path.write_text("timestamp,value\n")
    result, answers = run(str(path))
    assert (result.return_value, answers) == (0, [])


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("time,value\n1,1\n")
    result, _ = run(str(path))
    assert isinstance(result.exception, UsageError)
    assert "'timestamp'" in str(result.exception)


def test_sensitivity_is_one_of_three(tmp_path):
    path = write_csv(tmp_path / "s.csv", rows())
    active = [sum(a["active"] for a in run("--sensitivity", s, path)[1]) for s in ("low", "balanced", "high")]
    assert active == sorted(active)
    assert run("--sensitivity", "extreme", path)[0].exception is not None


def test_help_has_an_example_and_the_verb_is_registered():
    result = CliRunner().invoke(cli, ["analyse", "spikes", "--help"])
    assert "Example: resonance analyse spikes" in result.output
    assert "spikes" in CliRunner().invoke(cli, ["analyse", "--help"]).output
