"""`resonance analyse sentiment`: one line per row, in order; what is wrong is said."""

import gzip
import json
import subprocess
import sys

import pytest

from tests.analysis import tiny_onnx

OFFLINE = """
import socket, sys
def refuse(*args): raise SystemExit("it called out")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
sys.argv = ["resonance", *sys.argv[1:]]
from resonance.cli import main
main()
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(tiny_onnx.write(tmp_path_factory.mktemp("model") / "tiny", ["negative", "neutral", "positive"]))


@pytest.fixture
def run(model, capsys, monkeypatch):
    """Run the command in this process; gives its exit code, its lines and what it said."""
    from resonance.cli import main

    def call(*arguments, model=model):
        monkeypatch.setattr(sys, "argv", ["resonance", "analyse", "sentiment", "--model", model, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, said = capsys.readouterr()
        return ended.value.code, [json.loads(line) for line in out.splitlines()], said

    return call


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_the_embedded_model_answers_without_network_or_chatter(tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_text(lines({"id": 1, "text": "I love it!", "lang": "en"}, {"id": "二", "text": "最悪、許せない"}))
    arguments = [sys.executable, "-c", OFFLINE, "analyse", "sentiment", str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["id"], first["label"], first["lang"]) == (1, "positive", "en")
    assert (second["id"], second["label"], second["lang"]) == ("二", "negative", "ja")
    assert first["model"].startswith("embedded@")
    assert first["negative"] + first["neutral"] + first["positive"] == pytest.approx(1, abs=1e-5)
    assert max(first["emotions"], key=first["emotions"].get) in {"joy", "trust"}
    assert second["emotions"]["anger"] > second["emotions"]["joy"]


def test_ids_are_echoed_with_their_type_and_in_order(run, tmp_path):
    ids = [7, "7", 7.5, None, True, [1, "a"], 2**70, "x:123", "\ud800"]
    path = tmp_path / "posts.jsonl"
    path.write_text(lines(*({"id": i, "text": "good"} for i in ids)))
    code, found, said = run(path)
    assert (code, said) == (0, "")
    assert [row["id"] for row in found] == ids
    assert [type(row["id"]) for row in found] == [type(i) for i in ids]


def test_more_rows_than_a_chunk_in_csv_gz(run, tmp_path):
    words = ["good", "bad", "table"]
    path = tmp_path / "posts.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(
            "id,text,lang\n" + "".join(f'p{n},"{3 * (words[n % 3] + chr(32))}, {n % 50}",en\n' for n in range(5_000))
        )
    code, found, _ = run(path)
    assert code == 0
    assert [row["id"] for row in found] == [f"p{n}" for n in range(5_000)]
    assert [row["label"] for row in found] == ["positive", "negative", "neutral"] * 1_666 + ["positive", "negative"]


def test_hostile_texts_are_scored_like_any_other(run, tmp_path):
    texts = ["", "\x00\x00", "\ud800", "x" * 100_000, "😀", "שלום", "<!channel> good good good good", "\u202egood"]
    path = tmp_path / "posts.jsonl"
    path.write_text(lines(*({"id": n, "text": text} for n, text in enumerate(texts))))
    code, found, _ = run(path)
    assert code == 0
    assert [row["id"] for row in found] == list(range(len(texts)))
    assert [row["label"] for row in found[-2:]] == ["positive", "positive"]
    assert found[0]["uncertain"] is True


def test_bad_lines_are_named_and_skipped(run, tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_text(lines({"id": 1, "text": "good"}) + "not json\n" + lines({"id": 3, "text": None}, {"text": "no id"}))
    code, found, said = run(path)
    assert (code, [row["id"] for row in found]) == (0, [1])
    assert f"{path}:2: not JSON" in said
    assert f"{path}:3: text is not a text" in said
    assert f"{path}:4: the field 'id' is missing" in said
    assert "1 of 4 lines used, 3 skipped" in said
    assert run(path, "--strict")[0] == 1


def test_no_usable_line_and_no_line_at_all(run, tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_text("{}\n")
    code, found, said = run(path)
    assert (code, found) == (1, [])
    assert "not one of its 1 lines could be used" in said
    path.write_text("")
    assert run(path)[:2] == (0, [])


def test_wrong_columns_and_wrong_models_are_told(run, tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("id,body\n1,hello\n")
    code, _, said = run(path)
    assert (code, "the column 'text' is missing" in said) == (2, True)
    path.write_text("id,text\n1,hello\n")
    code, _, said = run(path, model="./no-such-folder")
    assert (code, "There is no folder ./no-such-folder" in said) == (1, True)
    assert run(tmp_path / "absent.csv")[0] == 1


def test_emotions_are_printed_when_the_model_has_them(run, tmp_path):
    folder = tiny_onnx.write(tmp_path / "m", ["negative", "neutral", "positive"], emotions=True)
    path = tmp_path / "posts.jsonl"
    path.write_text(lines({"id": 1, "text": "good"}))
    _, (row,), _ = run(path, model=str(folder))
    assert set(row["emotions"]) == {
        "joy", "trust", "fear", "surprise", "sadness", "disgust", "anger", "anticipation",
    }  # fmt: skip
    assert row["emotions"]["joy"] > 0.9 > 0.1 > row["emotions"]["anger"]


def test_the_bar_is_for_terminals_only(monkeypatch, capsys):
    from resonance.commands import analyse_sentiment

    with analyse_sentiment.progress_bar() as advance:
        assert advance is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with analyse_sentiment.progress_bar() as advance:
        advance(3)
        advance(4)
    assert capsys.readouterr().out == ""
