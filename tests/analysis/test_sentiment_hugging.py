"""Models of the Hugging Face kind, made small and random here; runs where the extra `torch` is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.sentiment import load
from analysis.sentiment.scorer import EMBEDDED_FOLDER

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

NAMES = {
    "three": {0: "negative", 1: "neutral", 2: "positive"},
    "numbered": {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"},
    "stars": {i: f"{i + 1} stars" for i in range(5)},
    "two": {0: "NEGATIVE", 1: "POSITIVE"},
}


@pytest.mark.parametrize("kind", NAMES)
def test_any_classifier_answers_with_three_probabilities(kind: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(tokenizer), id2label=NAMES[kind], num_labels=len(NAMES[kind]), **shape)
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)

    scorer = load(str(tmp_path))
    texts = ["最高でした", "never again", "", "最高でした"]
    first, second, empty, again = scorer.score(texts)
    for answer in (first, second, empty):
        assert abs(answer.negative + answer.neutral + answer.positive - 1) < 1e-6
    assert first == again
    assert empty.uncertain
    alone = scorer.score(texts[1:2])[0]
    assert alone.negative == pytest.approx(second.negative, abs=1e-5)
