"""The tokenizer: the base model's Unigram pieces, cut to those in use.

    python -m training.sentiment.tokenizer --base e5-small-q4.bin --out WORK --keep 60000 TEXTS.jsonl ...

writes WORK/tokenizer.json and WORK/pieces.npy (the base model's row of each piece kept).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from store.text import for_model
from training.sentiment.base import read_wheel

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
WORDS = {"ja": 40_000, "en": 30_000, "es": 12_000, "fr": 12_000, "de": 12_000, "it": 12_000, "pt": 12_000}
WORDS |= {"ar": 12_000, "hi": 8_000}


def charsmap() -> bytes:
    """The normalisation nmt_nfkc as SentencePiece compiles it, taken from a throw-away model."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    with tempfile.TemporaryDirectory() as folder:
        prefix = f"{folder}/m"
        lines = (f"some words to train on {i} {chr(97 + i % 26)}" for i in range(500))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=lines,
            model_prefix=prefix,
            vocab_size=60,
            normalization_rule_name="nmt_nfkc",
            minloglevel=2,
            hard_vocab_limit=False,
        )
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(Path(prefix + ".model").read_bytes())
    return bytes(proto.normalizer_spec.precompiled_charsmap)


def build(pieces: Sequence[str], scores: Sequence[float], compiled: bytes) -> Tokenizer:
    """A tokenizer over these pieces; the first four are `<s> <pad> </s> <unk>`."""
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(compiled), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    return tokenizer


def counts(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[int]:
    """How often each piece occurs in texts as the model reads them."""
    found: Counter[int] = Counter()
    batch: list[str] = []
    for text in texts:
        batch.append(for_model(text))
        if len(batch) == 2_000:
            found.update(i for e in tokenizer.encode_batch_fast(batch) for i in e.ids)
            batch = []
    found.update(i for e in tokenizer.encode_batch_fast(batch) for i in e.ids)
    return found


def is_kept_always(piece: str) -> bool:
    """Single characters (with or without the mark of a word's beginning) can spell whatever is left out."""
    return len(piece.removeprefix("▁")) <= 1


def chosen(
    pieces: Sequence[str], scores: Sequence[float], used: Counter[int], common: Counter[int], keep: int
) -> list[int]:
    """The rows to keep: special ones, single characters, then pieces by use, then by their own probability."""
    always = {i for i in range(len(SPECIAL), len(pieces)) if is_kept_always(pieces[i])}
    ranked = [i for i, _ in used.most_common()]
    ranked += sorted(common, key=lambda i: -scores[i])
    rows = list(range(len(SPECIAL)))
    rest = [i for i in dict.fromkeys(ranked) if i not in always and i >= len(SPECIAL)]
    rest = rest[: max(0, keep - len(rows) - len(always))]
    return rows + sorted({*always, *rest})


def _texts(paths: Sequence[Path]) -> Iterable[str]:
    import gzip

    for path in paths:
        opener: Any = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            yield from (json.loads(line)["text"] for line in lines if line.strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", type=int, default=60_000)
    given = parser.parse_args()
    from wordfreq import top_n_list

    base, compiled = read_wheel(given.base), charsmap()
    pieces, scores = base.pieces[:-1], base.scores[:-1]  # the last is <mask>
    whole = build(pieces, scores, compiled)
    used = counts(whole, _texts(given.texts))
    common = counts(whole, (w for lang, n in WORDS.items() for w in top_n_list(lang, n)))
    rows = chosen(pieces, scores, used, common, given.keep)
    kept = build([pieces[i] for i in rows], [scores[i] for i in rows], compiled)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "tokenizer.json").write_text(compact(kept), encoding="utf-8")
    np.save(given.out / "pieces.npy", np.array(rows, np.int32))
    there = set(rows)
    lost = sum(n for i, n in used.items() if i not in there) / used.total()
    print(
        f"{len(rows)} pieces of {len(pieces)}; {len(used)} occur in the texts, {len(common)} in common words; "
        f"{lost:.2%} of the tokens are spelt with smaller pieces"
    )


def compact(tokenizer: Tokenizer) -> str:
    """tokenizer.json without indentation, scores to four digits."""
    found = json.loads(tokenizer.to_str())
    found["model"]["vocab"] = [[piece, round(score, 4)] for piece, score in found["model"]["vocab"]]
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
