"""Texts in, sentiments out: normalised, identical texts scored once, in chunks of bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.sentiment.calibration import Calibration, read
from analysis.sentiment.labels import to_three
from analysis.sentiment.result import LABELS, Model, ModelError, Progress, Sentiment
from store.text import for_model, language

EMBEDDED = "embedded"
EMBEDDED_FOLDER = Path(__file__).with_name("model")
CHUNK = 2_048
REMEMBERED = 200_000
UNREAD = 0.5


class Scorer:
    """A model with its calibration. It remembers the answers to the last texts (boosts and copies cost nothing)."""

    def __init__(self, model: Model, calibration: Calibration) -> None:
        """`model` runs the network; `calibration` turns its logits into probabilities."""
        self._model = model
        self.calibration = calibration
        self._to_three = to_three(model.labels)
        self._known: dict[bytes, bytes] = {}

    @property
    def name(self) -> str:
        """The model's name: `embedded`, a folder, or a name on the Hugging Face hub."""
        return self._model.name

    @property
    def version(self) -> str:
        """Changes with the weights or the calibration: scores are kept apart by it."""
        return self._model.version

    def score(
        self, texts: Sequence[str], languages: Sequence[str | None] | None = None, progress: Progress | None = None
    ) -> list[Sentiment]:
        """One Sentiment per text, in their order.

        Parameters
        ----------
        texts : plain texts (see `store.text.from_html`); any length, any characters.
        languages : the language that the network or file declares for each; None where it does not say.
        progress : called with the number of texts just done; the numbers sum to len(texts).
        """
        said = languages if languages is not None else [None] * len(texts)
        if len(said) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(said)} languages")
        found: list[Sentiment] = []
        for at in range(0, len(texts), CHUNK):
            part = texts[at : at + CHUNK]
            prepared = [for_model(text) for text in part]
            codes = [language(text, declared) for text, declared in zip(part, said[at : at + CHUNK], strict=True)]
            found += self._sentiments(prepared, codes, self._rows(prepared, progress or (lambda _: None)))
        return found

    def logits(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The model's raw logits, (n, labels) and (n, emotions), to fit a calibration."""
        rows = self._rows([for_model(text) for text in texts], lambda _: None).astype(np.float64)
        count = len(self._model.labels)
        return rows[:, :count], rows[:, count:-1]

    def _rows(self, prepared: Sequence[str], progress: Progress) -> NDArray[np.float32]:
        """The model's rows for prepared texts, each distinct text run at most once."""
        keys = [sha256(text.encode()).digest()[:16] for text in prepared]
        if len(self._known) + len(keys) > REMEMBERED:
            self._known.clear()
        new = {key: text for key, text in zip(keys, prepared, strict=True) if key not in self._known}
        progress(len(prepared) - len(new))
        rows = self._model.run(list(new.values()), progress)
        self._known.update((key, row.tobytes()) for key, row in zip(new, rows, strict=True))
        return np.frombuffer(b"".join(self._known[key] for key in keys), np.float32).reshape(len(keys), -1)

    def _sentiments(self, prepared: Sequence[str], codes: Sequence[str], rows: NDArray[np.float32]) -> list[Sentiment]:
        count = len(self._model.labels)
        logits = rows[:, :count].astype(np.float64)
        probabilities = self._to_three(self.calibration.probabilities(logits, codes))
        read_well = (rows[:, -1] < UNREAD) & np.array([bool(text) for text in prepared], bool)
        probabilities[~read_well] = 1 / 3
        best = np.where(read_well, probabilities.argmax(axis=1), LABELS.index("neutral"))
        sure = read_well & (probabilities.max(axis=1) >= self.calibration.threshold)
        moods = self.calibration.emotions(rows[:, count:-1].astype(np.float64))
        return [
            Sentiment(
                LABELS[label], negative, neutral, positive, not certain, code, self._named(mood) if known else None
            )
            for label, (negative, neutral, positive), certain, code, mood, known in zip(
                best, probabilities.tolist(), sure.tolist(), codes, moods, read_well.tolist(), strict=True
            )
        ]

    def _named(self, mood: NDArray[np.float64]) -> dict[str, float] | None:
        names = self._model.emotions
        return dict(zip(names, map(float, mood), strict=True)) if names else None


def load(model: str = EMBEDDED, *, threads: int | None = None) -> Scorer:
    """The scorer of a model; the first call takes seconds, so keep the result.

    Parameters
    ----------
    model : `embedded`, a folder with an ONNX file (tokenizer and configuration beside it; calibration.json is used), or
        the name of a sequence classification model on the Hugging Face hub (extra `torch`; not calibrated).
    threads : processors to use; by default all that the process may use.

    Raises
    ------
    ModelError, TorchMissing : the model cannot be used; the message says what to do.
    """
    from analysis.sentiment.onnx import OnnxModel, model_file

    folder = EMBEDDED_FOLDER if model == EMBEDDED else Path(model).expanduser()
    if model == EMBEDDED or (folder.is_dir() and model_file(folder)):
        exported = OnnxModel(folder, model, threads)
        return Scorer(exported, read(folder, len(exported.labels)))
    if not folder.is_dir() and model.startswith(("/", "./", "../", "~")):
        raise ModelError(f"There is no folder {model}. Check --model, or use --model embedded.")
    from analysis.sentiment.hugging import HuggingModel

    named = HuggingModel(model, threads)
    return Scorer(named, read(folder, len(named.labels)))
