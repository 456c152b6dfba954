"""A real sentiment model of a few words in ONNX, written byte by byte: its logits are the sum of its words' weights."""

import json
import struct
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

WORDS = {"good": 2, "bad": 0, "table": 1, "fine": 2, "awful": 0}


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _tensor(name: str, dims: list[int], kind: int, raw: bytes) -> bytes:
    return b"".join(_field(1, d) for d in dims) + _field(2, kind) + _field(8, name) + _field(9, raw)


def _value(name: str, kind: int, dims: list[str]) -> bytes:
    shape = b"".join(_field(1, _field(2, d)) for d in dims)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def _node(op: str, inputs: list[str], output: str, **ints: int) -> bytes:
    attributes = b"".join(_field(5, _field(1, k) + _field(3, v) + _field(20, 2)) for k, v in ints.items())
    return b"".join(_field(1, i) for i in inputs) + _field(2, output) + _field(4, op) + attributes


def _network(heads: dict[str, list[list[float]]]) -> bytes:
    graph = _field(2, "tiny") + _field(5, _tensor("axes", [1], 7, struct.pack("<q", 1)))
    for name, weights in heads.items():
        raw = struct.pack(f"<{len(weights) * len(weights[0])}f", *(w for row in weights for w in row))
        graph += _field(1, _node("Gather", [f"w_{name}", "input_ids"], f"g_{name}", axis=0))
        graph += _field(1, _node("ReduceSum", [f"g_{name}", "axes"], name, keepdims=0))
        graph += _field(5, _tensor(f"w_{name}", [len(weights), len(weights[0])], 1, raw))
        graph += _field(12, _value(name, 1, ["batch", "labels"]))
    graph += _field(11, _value("input_ids", 7, ["batch", "length"]))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 17))


def write(folder: Path, labels: list[str], emotions: bool = False) -> Path:
    """Write the model; a word's mood (0, 1, 2) speaks for the first, middle or last label, with a logit of 3."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {"<unk>": 0, **{word: i for i, word in enumerate(WORDS, 1)}}
    place = {0: 0, 1: len(labels) // 2, 2: len(labels) - 1}
    weights = [[0.0] * len(labels)] + [[3.0 * (place[m] == i) for i in range(len(labels))] for m in WORDS.values()]
    heads = {"logits": weights}
    if emotions:
        heads["emotions"] = [[0.0] * 8] + [[4.0 if m == 2 else -4.0] + [-4.0] * 7 for m in WORDS.values()]
    (folder / "model.onnx").write_bytes(_network(heads))
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "TokenizersBackend", "unk_token": "<unk>", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    names = {str(i): label for i, label in enumerate(labels)}
    config = {"model_type": "bert", "id2label": names, "label2id": {label: int(i) for i, label in names.items()}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
