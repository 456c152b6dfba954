"""The scorer: with the embedded model, and with tiny real ones in a folder."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from analysis.sentiment import LABELS, ModelError, TorchMissing, load
from analysis.sentiment.hugging import _batches, weights_version
from analysis.sentiment.result import EMOTIONS
from analysis.sentiment.scorer import EMBEDDED_FOLDER
from tests.analysis import tiny_onnx

EXTREMES = ["", " ", "x" * 100_000, "日本" * 50_000, "😀🎉", "\ud800\udc00\ud800", "שלום \u202eعالم", "\x00a"]


@pytest.fixture(scope="module")
def embedded():
    return load(threads=1)


@pytest.fixture
def tiny(tmp_path):
    return load(str(tiny_onnx.write(tmp_path / "tiny", ["negative", "neutral", "positive"])), threads=2)


def calibrate(folder, temperatures, **others):
    settings = {"temperatures": temperatures, "confusions": {}, **others}
    (folder / "calibration.json").write_text(json.dumps(settings))


# ------------------------------------------------------------------ the embedded model
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this coffee, best morning ever!", "positive"),
        ("Worst service ever. Never coming back.", "negative"),
        ("The store opens at nine on Monday.", "neutral"),
        ("このラテ、本当に美味しくて幸せ", "positive"),
        ("対応が最悪。もう二度と買わない。", "negative"),
        ("Me encanta esta tienda, gracias", "positive"),
        ("最悪、許せない", "negative"),
        ("こんな値上げ許せない", "negative"),
        ("ムカつく", "negative"),
        ("可愛すぎて許せない", "positive"),
        ("I'm furious, they charged me twice and hung up on me", "negative"),
    ],
)
def test_plain_moods_are_read(embedded, text, label):
    assert embedded.score([text])[0].label == label


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("ふざけるな。もう三回目だぞ、電話もつながらない", "anger"),
        ("楽しかった！家族みんな大満足でした", "joy"),
        ("閉店は本当に悲しい。寂しくなるなあ", "sadness"),
        ("I'm so angry with this company, three weeks and no answer", "anger"),
        ("Can't wait for the launch next week!", "anticipation"),
        ("So happy with my new headphones 😍", "joy"),
    ],
)
def test_plain_emotions_are_felt(embedded, text, emotion):
    (mood,) = embedded.score([text])
    named = {name for name, score in mood.emotions.items() if score >= 0.5}
    assert emotion in named
    assert len(named) <= 2  # joy may stand beside anticipation, sadness beside anger; not all beside each other


def test_probabilities_sum_to_one_and_the_label_is_their_largest(embedded):
    for mood in embedded.score([*EXTREMES, "ok", "最高", "not bad at all"]):
        three = [mood.negative, mood.neutral, mood.positive]
        assert sum(three) == pytest.approx(1, abs=1e-9)
        assert all(0 <= p <= 1 for p in three)
        assert mood.label == LABELS[int(np.argmax(three))] or mood.uncertain
        assert mood.emotions is None or set(mood.emotions) == set(EMOTIONS)
        assert all(0 <= p <= 1 for p in (mood.emotions or {}).values())


def test_a_text_that_says_nothing_is_uncertain_and_neutral(embedded):
    for text in ["", " \n", "ᚠᚢᚦᚨᚱᚲ"]:
        (mood,) = embedded.score([text])
        assert (mood.label, mood.uncertain, mood.neutral) == ("neutral", True, pytest.approx(1 / 3))
        assert mood.emotions is None


def test_a_score_does_not_depend_on_its_neighbours(embedded):
    texts = ["so good", "最悪だった", "a rather long text about nothing in particular " * 5, "meh"]
    together = embedded.score(texts)
    embedded._known.clear()
    assert [embedded.score([text])[0] for text in reversed(texts)] == together[::-1]


def test_the_embedded_model_knows_its_errors_and_its_version(embedded):
    assert embedded.name == "embedded"
    assert len(embedded.version) == len("541547e9d7c3-000000")
    assert embedded.calibration.temperature("ja") != embedded.calibration.temperature("en")
    assert embedded.calibration.temperature("xx") == max(embedded.calibration.temperatures.values())
    assert np.sum(embedded.calibration.confusion("en")) > 1_000
    assert embedded.calibration.confusion("xx") == embedded.calibration.confusion()


# ------------------------------------------------------------------ folders
def test_order_copies_and_progress(tiny, monkeypatch):
    ran, run = [], tiny._model.run
    monkeypatch.setattr(tiny._model, "run", lambda texts, progress: ran.extend(texts) or run(texts, progress))
    texts = ["good", "bad", "good", "GOOD  ", "table"] * 1_000
    done = []
    found = tiny.score(texts, progress=done.append)
    assert [mood.label for mood in found[:5]] == ["positive", "negative", "positive", "positive", "neutral"]
    assert [mood.label for mood in found] == [mood.label for mood in found[:5]] * 1_000
    assert sorted(ran) == ["GOOD", "bad", "good", "table"]
    assert sum(done) == len(texts)
    tiny.score(["bad"])
    assert len(ran) == 4


def test_many_distinct_texts_keep_their_order(tiny):
    words = ["good", "bad", "table"]
    texts = [" ".join(words[int(d)] for d in np.base_repr(n, 3)) for n in range(3_000)]
    found = tiny.score(texts)
    for n in (0, 1, 2, 3, 8, 26, 2_999):
        counts = {word: np.base_repr(n, 3).count(str(i)) for i, word in enumerate(words)}
        raised = np.exp(3.0 * np.array([counts["bad"], counts["table"], counts["good"]]))
        assert found[n].negative == pytest.approx(raised[0] / raised.sum(), rel=1e-6)


def test_what_it_remembers_is_bounded(tiny, monkeypatch):
    monkeypatch.setattr("analysis.sentiment.scorer.REMEMBERED", 10)
    for n in range(30):
        assert tiny.score([f"good good {n}"])[0].label == "positive"
        assert len(tiny._known) <= 10


def test_no_texts_and_unequal_lists(tiny):
    assert tiny.score([]) == []
    with pytest.raises(ValueError, match="2 texts but 1 languages"):
        tiny.score(["a", "b"], ["en"])


def test_the_declared_language_chooses_the_temperature(tmp_path):
    folder = tiny_onnx.write(tmp_path / "m", ["negative", "neutral", "positive"])
    plain = load(str(folder), threads=1)
    calibrate(folder, {"en": 1.0, "ja": 3.0}, pooled=1.5, elsewhere=4.0, threshold=0.6)
    scorer = load(str(folder), threads=1)
    en, ja, other, unknown = scorer.score(["good"] * 4, ["en", "ja-JP", "sw", None])
    assert en.positive == pytest.approx(plain.score(["good"])[0].positive)
    assert en.positive > unknown.positive > ja.positive > other.positive
    assert (en.uncertain, ja.uncertain, ja.language) == (False, True, "ja")
    assert scorer.version != plain.version
    assert scorer.version.startswith(plain.version)
    assert scorer.calibration.confusion("en") is None


def test_stars_and_two_classes_are_mapped(tmp_path):
    stars = load(str(tiny_onnx.write(tmp_path / "stars", [f"{i} star{'s' * (i > 1)}" for i in range(1, 6)])))
    assert [mood.label for mood in stars.score(["awful", "table", "fine"])] == ["negative", "neutral", "positive"]
    two = load(str(tiny_onnx.write(tmp_path / "two", ["NEGATIVE", "POSITIVE"])))
    good, both = two.score(["good", "good bad"])
    assert good.label == "positive"
    assert (both.label, both.neutral) == ("neutral", pytest.approx(1))


def test_emotions_are_independent_probabilities(tmp_path):
    folder = tiny_onnx.write(tmp_path / "m", ["negative", "neutral", "positive"], emotions=True)
    (mood,) = load(str(folder)).score(["good"])
    assert mood.emotions["joy"] == pytest.approx(1 / (1 + np.exp(-4)))
    assert mood.emotions["anger"] == pytest.approx(1 / (1 + np.exp(4)))
    assert len(mood.emotions) == 8


# ------------------------------------------------------------------ what can go wrong
def test_labels_that_mean_nothing_are_refused(tmp_path):
    with pytest.raises(ModelError, match="cats, dogs, birds"):
        load(str(tiny_onnx.write(tmp_path / "m", ["cats", "dogs", "birds"])))


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_damaged_model_is_told(tmp_path, name):
    folder = tiny_onnx.write(tmp_path / "m", ["negative", "neutral", "positive"])
    (folder / name).write_bytes(b"\x00broken")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(str(folder))


@pytest.mark.parametrize("content", ["{", "{}", '{"temperatures": []}', "[]"])
def test_a_damaged_calibration_is_told(tmp_path, content):
    folder = tiny_onnx.write(tmp_path / "m", ["negative", "neutral", "positive"])
    (folder / "calibration.json").write_text(content)
    with pytest.raises(ModelError, match="is damaged"):
        load(str(folder))


def test_biases_of_another_model_are_told(tmp_path):
    folder = tiny_onnx.write(tmp_path / "m", ["negative", "neutral", "positive"])
    calibrate(folder, {}, biases={"en": [0.1, -0.1]}, pooled=1, elsewhere=1, threshold=0.5)
    with pytest.raises(ModelError, match="biases of en must have one number for each of the model's 3 labels"):
        load(str(folder))


def test_a_temperature_of_zero_is_refused(tmp_path):
    folder = tiny_onnx.write(tmp_path / "m", ["negative", "neutral", "positive"])
    calibrate(folder, {"en": 0}, pooled=1, elsewhere=1, threshold=0.5)
    with pytest.raises(ModelError, match="above 0"):
        load(str(folder))


def test_a_missing_folder_is_told():
    with pytest.raises(ModelError, match="no folder"):
        load("./nowhere")


def test_a_hub_model_without_torch_names_the_extra(monkeypatch):
    monkeypatch.setattr("analysis.sentiment.hugging.find_spec", lambda name: None)
    with pytest.raises(TorchMissing, match=r"resonance-monitor\[torch\]"):
        load("somebody/some-model")


def test_weights_in_a_folder_have_a_version_of_their_content(tmp_path):
    assert weights_version(tmp_path) == ""
    (tmp_path / "model.safetensors").write_bytes(b"one")
    one = weights_version(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert len(one) == 12
    assert weights_version(tmp_path) != one


def test_batches_hold_every_text_once_within_bounds():
    lengths = list(np.random.default_rng(1).integers(1, 129, 1_000))
    batches = list(_batches(lengths))
    assert sorted(i for batch in batches for i in batch) == list(range(1_000))
    assert max(len(batch) for batch in batches) <= 64
    assert max(max(lengths[i] for i in batch) * len(batch) for batch in batches) <= 4_096
    assert list(_batches([])) == []


# ------------------------------------------------------------------ what lies in the package
def test_the_calibration_belongs_to_the_weights_and_the_card_names_them():
    found = json.loads((EMBEDDED_FOLDER / "calibration.json").read_text())
    weights = sha256((EMBEDDED_FOLDER / "model_int8.onnx").read_bytes()).hexdigest()
    assert found["model_sha256"] == weights
    assert weights in (Path(__file__).parents[2] / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert sum(file.stat().st_size for file in EMBEDDED_FOLDER.iterdir()) < 48_000_000
