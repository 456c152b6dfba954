"""Speed and memory of the sentiment scorer, and what a single text costs, on generated texts.

    python benchmarks/sentiment.py [--posts 2000] [--model embedded] [--threads 2] [--memory 100000]

Accuracy and calibration are measured on labelled posts, which are other people's and not part of this repository: give
a JSON lines file {text, lang, label} (.gz) with --labelled. Prints JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import time

import numpy as np

from analysis.sentiment import LABELS, Scorer, fitting, load

EN = "coffee was really not good today but love new shop service slow staff kind why again never best ever"
JA = "今日 の ラテ は 本当に 美味しい けど 店員 が 遅い また 行く 新作 最高 ひどい 微妙 期待 した ほど では ない"


def texts(count: int, seed: int = 1) -> list[str]:
    """Distinct nonsense of 5 to 40 words, Japanese and English in turn."""
    rng, found = random.Random(seed), []
    for n in range(count):
        words, glue = (JA, "") if n % 2 else (EN, " ")
        found.append(f"{n} " + glue.join(rng.choices(words.split(), k=rng.randint(5, 40))))
    return found


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def speed(scorer: Scorer, count: int) -> dict[str, float]:
    """Posts per second of wall clock and of processor time, and milliseconds for one post."""
    posts = texts(count)
    wall, cpu = time.perf_counter(), time.process_time()
    scorer.score(posts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    single = []
    for post in texts(50, seed=2):
        began = time.perf_counter()
        scorer.score([post + "!"])
        single.append(1_000 * (time.perf_counter() - began))
    return {
        "posts": count,
        "posts_per_s": round(count / wall, 1),
        "posts_per_cpu_s": round(count / cpu, 1),
        "one_post_ms_median": round(float(np.median(single)), 1),
    }


def accuracy(scorer: Scorer, path: str) -> dict[str, dict[str, float]]:
    """Macro recall, calibration error and abstentions by language of a labelled file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        posts = [json.loads(line) for line in lines]
    found = scorer.score([post["text"] for post in posts], [post["lang"] for post in posts])
    probabilities = np.array([[mood.negative, mood.neutral, mood.positive] for mood in found])
    truth = np.array([LABELS.index(post["label"]) for post in posts])
    codes, doubts = np.array([post["lang"] for post in posts]), np.array([mood.uncertain for mood in found])
    result = {}
    for code in sorted(set(codes)):
        here, given = codes == code, probabilities[codes == code].argmax(1)
        right = given == truth[here]
        result[code] = {
            "posts": int(here.sum()),
            "macro_recall": round(float(np.mean([right[truth[here] == k].mean() for k in set(truth[here])])), 4),
            "calibration_error": round(fitting.expected_calibration_error(probabilities[here], truth[here]), 4),
            "uncertain": round(float(doubts[here].mean()), 4),
            "accuracy_where_certain": round(float(right[~doubts[here]].mean()), 4),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=2_000)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--memory", type=int, default=0, help="then score so many distinct posts, for the peak memory")
    parser.add_argument("--labelled")
    given = parser.parse_args()
    began = time.perf_counter()
    scorer = load(given.model, threads=given.threads)
    result: dict[str, object] = {"model": f"{scorer.name}@{scorer.version}", "load_s": time.perf_counter() - began}
    result["loaded_mib"] = round(peak_mib())
    result.update(speed(scorer, given.posts))
    if given.memory:
        scorer.score(texts(given.memory, seed=3))
    if given.labelled:
        result["labelled"] = accuracy(scorer, given.labelled)
    result["peak_mib"] = round(peak_mib())
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
