"""Sequence classification models of the Hugging Face hub by name, or a folder of PyTorch weights (extra `torch`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import file_digest, sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sentiment.onnx import MAX_TOKENS, processors, quiet_transformers
from analysis.sentiment.result import ModelError, Progress, TorchMissing

BATCH_POSTS, BATCH_TOKENS = 64, 4_096


class HuggingModel:
    """A model in PyTorch, on the GPU where there is one (implements `result.Model`)."""

    emotions: tuple[str, ...] = ()

    def __init__(self, name: str, threads: int | None = None) -> None:
        """Loads (and downloads, the first time) the model. Raises TorchMissing or ModelError."""
        if find_spec("torch") is None:
            raise TorchMissing(
                f"The model {name!r} runs on PyTorch, which is not installed. Install the extra: "
                "pip install 'resonance-monitor[torch]'; or use the model that comes along (--model embedded), or a "
                "folder with an ONNX file."
            )
        transformers = quiet_transformers()
        import torch

        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(name)
            self._model = transformers.AutoModelForSequenceClassification.from_pretrained(name).eval()
        except (OSError, ValueError, ImportError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ModelError(
                f"The model {name!r} cannot be loaded: {reason} Check the name, the network and, for a private "
                "model, HF_TOKEN."
            ) from error
        self._torch, self._device = torch, "cuda" if torch.cuda.is_available() else "cpu"
        if self._device == "cpu":
            torch.set_num_threads(max(1, threads or processors()))
        self._model.to(self._device)
        config = self._model.config
        if self._tokenizer.pad_token is None:  # decoders, such as GPT-2
            self._tokenizer.pad_token = self._tokenizer.eos_token
            config.pad_token_id = self._tokenizer.pad_token_id
        self.name = name
        self.version = weights_version(Path(name)) or str(getattr(config, "_commit_hash", None) or "unknown")[:12]
        self.labels = tuple(str(config.id2label[i]) for i in sorted(config.id2label))
        limit = getattr(self._tokenizer, "model_max_length", MAX_TOKENS)
        self._max_tokens = min(MAX_TOKENS, int(limit) if limit else MAX_TOKENS)

    def run(self, texts: Sequence[str], progress: Progress) -> NDArray[np.float32]:
        """See `result.Model.run`; texts of like length share a batch."""
        rows = np.zeros((len(texts), len(self.labels) + 1), np.float32)
        if not texts:
            return rows
        encoded = self._tokenizer(list(texts), truncation=True, max_length=self._max_tokens, padding=False)
        for batch in _batches([len(tokens) for tokens in encoded["input_ids"]]):
            padded = self._tokenizer.pad(
                {key: [values[i] for i in batch] for key, values in encoded.items()}, return_tensors="pt"
            ).to(self._device)
            with self._torch.inference_mode():
                logits: Any = self._model(**padded).logits
            rows[batch, :-1] = logits.float().cpu().numpy()
            progress(len(batch))
        return rows


def weights_version(folder: Path) -> str:
    """Twelve digits of the SHA-256 of the PyTorch weights in a folder; empty where there are none."""
    digest, files = sha256(), sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    for path in files:
        with path.open("rb") as weights:
            digest.update(file_digest(weights, "sha256").digest())
    return digest.hexdigest()[:12] if files else ""


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices from the longest text down, in batches of bounded posts and tokens."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = lengths[batch[0]] if batch else 0
        if batch and (len(batch) == BATCH_POSTS or longest * (len(batch) + 1) > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
