"""The network: a BERT encoder over frozen word embeddings, mean pooling, a head for sentiment and one for emotions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.sentiment.base import EPS, FEED_FORWARD, HEADS, HIDDEN, LAYERS, Weights, unpack

SENTIMENTS, EMOTIONS = 3, 8
PAD = 1


class Layer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.ao = nn.Linear(HIDDEN, HIDDEN)
        self.aln = nn.LayerNorm(HIDDEN, eps=EPS)
        self.fi = nn.Linear(HIDDEN, FEED_FORWARD)
        self.fo = nn.Linear(FEED_FORWARD, HIDDEN)
        self.oln = nn.LayerNorm(HIDDEN, eps=EPS)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """`x` (texts, tokens, 384), `mask` (texts, 1, 1, tokens) True for tokens."""
        texts, tokens, _ = x.shape
        q, k, v = self.qkv(x).view(texts, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        # Written out: on a processor the fused kernel's way back is the slower one, in bf16 by half of all the time.
        scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        found = scores.masked_fill(~mask, float("-inf")).softmax(-1).to(v.dtype) @ v
        x = self.aln(x + self.ao(found.transpose(1, 2).reshape(texts, tokens, HIDDEN)))
        out: Tensor = self.oln(x + self.fo(functional.gelu(self.fi(x))))
        return out


class Network(nn.Module):
    """Token ids (texts, tokens) to logits: sentiment (texts, 3) and emotions (texts, 8).

    Word embeddings never change, so that their 4-bit blocks can be exported as they came; `frozen` lower layers do not
    either.
    """

    def __init__(self, weights: Weights, dropout: float = 0.1, frozen: int = 0) -> None:
        super().__init__()
        self.frozen = frozen
        self.words = nn.Embedding.from_pretrained(torch.from_numpy(unpack(weights["emb.q4"], weights["emb.s4"])))
        self.positions = nn.Parameter(torch.from_numpy(weights["emb.pos"].astype(np.float32).copy()))
        self.ln = nn.LayerNorm(HIDDEN, eps=EPS)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.dropout = nn.Dropout(dropout)
        self.sentiment, self.emotions = nn.Linear(HIDDEN, SENTIMENTS), nn.Linear(HIDDEN, EMOTIONS)
        for head in (self.sentiment, self.emotions):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        self._load(weights)
        self.positions.requires_grad_(False)
        for module in (self.ln, *list(self.layers)[:frozen]):
            module.requires_grad_(frozen == 0)

    def _load(self, weights: Weights) -> None:
        for name, parameter in self.named_parameters():
            source = exported_name(name)
            if source in weights and source != "emb.pos":
                value = weights[source]
                parameter.data.copy_(torch.from_numpy(value.T.copy() if value.ndim == 2 else value.copy()))

    def pooled(self, ids: Tensor) -> Tensor:
        """Means over the tokens' last states, (texts, 384)."""
        mask = ids != PAD
        wide = mask[:, None, None, :]
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.frozen == 0):
            x = self.ln(self.words(ids) + self.positions[: ids.shape[1]])
            for layer in list(self.layers)[: self.frozen]:
                x = layer(x, wide)
        for layer in list(self.layers)[self.frozen :]:
            x = layer(x, wide)
        parts = mask[:, :, None].to(x.dtype)
        return (x * parts).sum(1) / parts.sum(1)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of sentiment and emotions; padded ids are PAD."""
        means = self.dropout(self.pooled(ids))
        return self.sentiment(means), self.emotions(means)


def exported_name(name: str) -> str:
    """The name in base.py's dictionary of a parameter of Network."""
    name = {"positions": "emb.pos"}.get(name, name).removeprefix("layers.")
    name = f"emb.{name}" if name.startswith("ln.") else name
    return name.replace(".weight", ".w").replace(".bias", ".b")


def weights_of(network: Network, embeddings: Weights) -> Weights:
    """A network as base.py's dictionary; `embeddings` has its emb.q4 and emb.s4."""
    out: Weights = {name: embeddings[name] for name in ("emb.q4", "emb.s4")}
    for name, parameter in network.named_parameters():
        if name != "words.weight":
            value = parameter.detach().float().numpy()
            turned = value.ndim == 2 and name != "positions"
            out[exported_name(name)] = np.ascontiguousarray(value.T) if turned else value.copy()
    return out
