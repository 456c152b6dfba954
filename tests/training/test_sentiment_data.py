"""Training data: what is learned, and that nothing held out is."""

import gzip
import json
from pathlib import Path

import pytest

from training.sentiment import data


def row(text: str, **more: object) -> dict[str, object]:
    return {"id": "x-1", "lang": "en", "text": text, **more}


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The public sets and the corpus, of a few rows, with every kind of collision."""
    sets, corpus = tmp_path / "data", tmp_path / "corpus"
    write(sets / "sentiment/tweeteval.val.jsonl.gz", [row("Held @bob http://a.b/c", label="neutral")])
    write(sets / "sentiment/umsab.val.jsonl.gz", [row("retenu", lang="fr", label="neutral")])
    write(sets / "emotion/goemotions.dev.jsonl.gz", [row("held comment", emotions=["joy"])])
    write(
        sets / "sentiment/semeval.train.jsonl.gz",
        [
            row("held   @ann https://x.y", label="negative"),
            row("Held @ann https://x.y", label="negative"),
            row("kept", label="positive"),
            row("kept", label="positive"),
        ],
    )
    write(
        sets / "sentiment/umsab.train.jsonl.gz",
        [
            row("english", label="neutral"),
            row("haan yaar", lang="hi", label="neutral"),
            row("gardé", lang="fr", label="negative"),
            row("retenu", lang="fr"),
        ],
    )
    chabsa = [row(f"文{i}", id=f"chabsa-{i}", lang="ja", label="neutral") for i in range(10)]
    write(sets / "sentiment/chabsa.train.jsonl.gz", chabsa)
    write(
        sets / "emotion/goemotions.train.jsonl.gz",
        [row("held comment", emotions=["joy"]), row("oh", emotions=["love"])],
    )
    write(sets / "emotion/xed.jsonl.gz", [row("line", emotions=[])])
    ours = [row("神アプデ", id="ja-a-1", batch="ja-a", lang="ja", label="positive", emotions=["joy"])]
    ours.append(row("皮肉", id="ja-a-2", batch="ja-a", lang="ja", label="negative", emotions=[]))
    ours.append(row("どっち", id="ja-a-3", batch="ja-a", lang="ja", label=None, emotions=[]))
    ours.append(row("皮肉", id="ja-d-1", batch="ja-d", lang="ja", label="negative", emotions=[]))
    ours.append(row("zuletzt", id="de-z-1", batch="de-z", label="neutral", emotions=[]))
    ours.append(row("späte", id="en-b-1", batch="en-b", label="neutral", emotions=[]))
    write(corpus / "corpus.jsonl", ours)
    (corpus / "split.json").write_text('{"development": ["ja-d"], "test": ["de-z"]}')
    return sets, corpus


def texts(found: data.Sets, source: str) -> set[str]:
    return {e.text for e in found.public[source]}


def test_held_out_texts_are_not_learned_however_they_are_spelt(folders: tuple[Path, Path]) -> None:
    found = data.gather(*folders)
    assert texts(found, "semeval") == {"held @user http", "kept"}  # another case is another text, other spaces are not
    assert texts(found, "goemotions") == {"oh"}
    assert texts(found, "umsab") == {"gardé"}


def test_english_of_umsab_and_every_fifth_of_chabsa_are_left_out(folders: tuple[Path, Path]) -> None:
    found = data.gather(*folders)
    assert texts(found, "umsab") == {"gardé"}
    assert texts(found, "chabsa") == {f"文{i}" for i in (1, 2, 3, 4, 6, 7, 8, 9)}


def test_a_teachers_answers_join_their_posts(folders: tuple[Path, Path], tmp_path: Path) -> None:
    lessons = tmp_path / "soft.jsonl"
    answers = [("oh", [0.1, 0.2, 0.7]), ("kept", [0.3, 0.3, 0.4])]
    told = [{"text_sha256": data.content_hash(text), "chances": chances} for text, chances in answers]
    lessons.write_text("".join(json.dumps(line) + "\n" for line in told))
    found = data.gather(*folders, lessons)
    assert [e.taught for e in found.public["goemotions"]] == [(0.1, 0.2, 0.7)]
    assert {e.text: e.taught for e in found.public["semeval"]} == {"held @user http": None, "kept": (0.3, 0.3, 0.4)}
    assert texts(found, "xed") == set()  # neither label nor answer: nothing to learn of its sentiment


def hindi_labels(path: Path, text: str, **labels: str) -> Path:
    told = [{"part": part, "text_sha256": data.content_hash(text), "label": said} for part, said in labels.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in told))
    return path


def test_hindi_is_learned_by_our_labels(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "HINDI", hindi_labels(tmp_path / "hindi.jsonl", "haan yaar", train="positive"))
    (learned,) = data.gather(*folders).public["hindi"]
    assert (learned.text, learned.lang, learned.sentiment) == ("haan yaar", "hi", data.LABELS.index("positive"))


def test_umsabs_hindi_has_our_labels_beside_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "HINDI", hindi_labels(tmp_path / "hindi.jsonl", "achha", train="train", val="val"))
    rows = [row("achha", lang="hi", label="x"), row("achha", lang="fr", label="x"), row("ok", lang="hi", label="x")]
    write(tmp_path / "sentiment/umsab.val.jsonl.gz", rows)
    (found,) = data.hindi(tmp_path, "val")
    assert (found["text"], found["lang"], found["given"], found["label"]) == ("achha", "hi", "x", "val")


def test_our_hindi_labels_are_labels_and_stand_once() -> None:
    rows = list(data.read_rows(data.HINDI))
    assert len({(row["part"], row["text_sha256"]) for row in rows}) == len(rows) > 2_000
    assert {row["label"] for row in rows} == set(data.LABELS)


def own(examples: list[data.Example]) -> list[str]:
    return sorted(e.text for e in examples if e.source == "corpus")


def test_held_out_and_unsettled_posts_stay_out_of_an_epoch(folders: tuple[Path, Path]) -> None:
    assert own(data.gather(*folders).epoch(1)) == sorted(["神アプデ", "späte"] * data.COPIES)


def test_a_batch_can_be_left_out_of_an_epoch(folders: tuple[Path, Path]) -> None:
    assert own(data.gather(*folders).epoch(1, without=["en-b"])) == ["神アプデ"] * data.COPIES


def test_an_epoch_is_the_same_for_the_same_seed_only(folders: tuple[Path, Path]) -> None:
    found = data.gather(*folders)
    assert found.epoch(1) == found.epoch(1)
    assert found.epoch(1) != found.epoch(2)


def test_an_epoch_sees_a_corpus_that_has_grown(folders: tuple[Path, Path]) -> None:
    found = data.gather(*folders)
    before = len(found.epoch(1))
    with (folders[1] / "corpus.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.write(json.dumps(row("尊い", id="ja-b-1", batch="ja-b", lang="ja", label="positive")) + "\n")
    assert len(found.epoch(1)) == before + data.COPIES


def test_what_is_held_out_is_whole_batches(folders: tuple[Path, Path]) -> None:
    assert [r["id"] for r in data.corpus(folders[1], "development")] == ["ja-d-1"]
    assert [r["id"] for r in data.corpus(folders[1], "test")] == ["de-z-1"]


def test_emotions_become_plutchiks_eight() -> None:
    assert data.to_eight(["joy", "anger"]) == (1, 0, 0, 0, 0, 0, 1, 0)
    assert data.to_eight(["love"]) == (1, 1, 0, 0, 0, 0, 0, 0)
    assert data.to_eight(["neutral"]) == data.to_eight([]) == data.to_eight(["boredom"]) == (0,) * 8


def test_every_name_maps_to_emotions_that_exist() -> None:
    assert len(data.PLUTCHIK) == 28
    assert {e for found in data.PLUTCHIK.values() for e in found} == set(data.EMOTIONS)


def test_what_a_set_does_not_tell_is_unknown_not_neutral() -> None:
    assert data.example(row("x", emotions=["joy"]), "xed").sentiment == -1
    assert data.example(row("x", label="neutral"), "semeval").emotions is None
    assert data.example(row("x", label="mixed"), "corpus").sentiment == -1
    assert data.example(row("x", label="positive", emotions=[]), "corpus").emotions == (0,) * 8


@pytest.mark.parametrize("rest", ['{"id": "x-3", "te', "3", "[]", "\n"])
def test_a_line_that_is_no_object_is_named(rest: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row("one\u2028two"), row("three")])
    path.write_text(path.read_text() + rest)
    rows = data.read_rows(path)
    assert [next(rows)["text"] for _ in range(2)] == ["one\u2028two", "three"]
    with pytest.raises(ValueError, match=r"a\.jsonl, line 3 is no JSON object"):
        next(rows)


def test_batches_hold_every_example_once_and_like_lengths_together() -> None:
    examples = [data.Example(str(i), "en", "corpus") for i in range(1_000)]
    ids = [[0] * (1 + i * 37 % 97) for i in range(1_000)]
    found = data.batches(examples, ids, 16, seed=3)
    assert sorted(i for batch in found for i in batch) == list(range(1_000))
    spread = [max(len(ids[i]) for i in b) - min(len(ids[i]) for i in b) for b in found]
    assert sorted(spread)[len(spread) // 2] <= 5
    assert found != data.batches(examples, ids, 16, seed=4)


def test_labels_and_emotions_are_those_of_the_scorer() -> None:
    from analysis.sentiment import result

    assert (data.LABELS, data.EMOTIONS) == (result.LABELS, result.EMOTIONS)
