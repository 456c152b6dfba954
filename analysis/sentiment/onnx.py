"""Models in a folder with an ONNX file: onnxruntime runs them, transformers reads tokenizer and configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sentiment.calibration import FILE
from analysis.sentiment.result import EMOTIONS, ModelError, Progress

MAX_TOKENS = 128
NAMES = ("model_int8.onnx", "model_quantized.onnx", "model.onnx")
EMOTION_OUTPUT = "emotions"


def model_file(folder: Path) -> Path | None:
    """The ONNX file of a folder (beside the configuration, or in onnx/ as on the Hugging Face hub), or None."""
    found = (place / name for place in (folder, folder / "onnx") for name in NAMES)
    return next((path for path in found if path.is_file()), None)


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quiet_transformers() -> Any:
    """The module transformers without its chatter: it warns, for one, that PyTorch is absent, as it is by intention."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


class OnnxModel:
    """A sequence classification network in ONNX (implements `result.Model`).

    Texts run one by one, several at a time. Measured, a batch is no faster on a processor, costs more memory, and with
    dynamic quantisation, whose scale spans the batch, makes a text's score depend on its neighbours.
    """

    def __init__(self, folder: Path, name: str, threads: int | None = None) -> None:
        """Loads the model in `folder`; `threads` defaults to the processors at hand. Raises ModelError."""
        path = model_file(folder)
        if path is None:
            raise ModelError(
                f"{folder} has no ONNX file ({', '.join(NAMES)}). Reinstall the package, or check --model."
            )
        transformers = quiet_transformers()
        try:
            self._session = _session(path)
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # onnxruntime and transformers raise whatever they like on damaged files
            raise ModelError(f"The model in {folder} cannot be loaded: {_first_line(error)}") from error
        self.name, self.version = name, _version(folder, path)
        self.labels = tuple(str(config.id2label[i]) for i in sorted(config.id2label))
        outputs = [output.name for output in self._session.get_outputs()]
        named = tuple(getattr(config, "emotions", None) or EMOTIONS)
        self.emotions: tuple[str, ...] = named if EMOTION_OUTPUT in outputs else ()
        self._outputs = ["logits" if "logits" in outputs else outputs[0], *([EMOTION_OUTPUT] if self.emotions else [])]
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        self._threads = max(1, threads or processors())
        self._unknown = self._tokenizer.unk_token_id
        self._frame = frozenset(self._tokenizer.all_special_ids) - {self._unknown}
        self._max_tokens = min(MAX_TOKENS, int(self._tokenizer.model_max_length))

    def run(self, texts: Sequence[str], progress: Progress) -> NDArray[np.float32]:
        """See `result.Model.run`."""
        rows = np.empty((len(texts), len(self.labels) + len(self.emotions) + 1), np.float32)
        if not texts:
            return rows
        encoded = self._tokenizer(list(texts), truncation=True, max_length=self._max_tokens, padding=False)["input_ids"]
        with ThreadPoolExecutor(self._threads) as pool:
            waiting, at = iter(encoded), 0
            while some := list(islice(waiting, 16 * self._threads)):
                for row in pool.map(self._one, some):
                    rows[at] = row
                    at += 1
                progress(len(some))
        return rows

    def _one(self, tokens: list[int]) -> NDArray[np.float32]:
        ids = np.array([tokens], np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        found = self._session.run(self._outputs, {k: v for k, v in feeds.items() if k in self._inputs})
        return np.concatenate([*(np.asarray(values)[0] for values in found), [self._unread(tokens)]]).astype(np.float32)

    def _unread(self, tokens: list[int]) -> float:
        content = [token for token in tokens if token not in self._frame]
        return content.count(self._unknown) / len(content) if content else 1.0


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it would keep the memory of the longest text
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _version(folder: Path, path: Path) -> str:
    """Twelve digits of the weights' SHA-256, six of the calibration's: what a score depends on."""
    version = sha256(path.read_bytes()).hexdigest()[:12]
    calibration = folder / FILE
    return f"{version}-{sha256(calibration.read_bytes()).hexdigest()[:6]}" if calibration.exists() else version


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
