"""Labels, calibration, and shares corrected for confusion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sentiment import CorrectedShare, ModelError, corrected_share, fitting, priors_by_em
from analysis.sentiment.calibration import Calibration, softmax
from analysis.sentiment.labels import columns, to_three

KNOWN = np.array([[80, 15, 5], [10, 80, 10], [5, 15, 80]])


# ------------------------------------------------------------------ labels
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["negative", "neutral", "positive"], (0, 1, 2)),
        (["POS", "NEU", "NEG"], (2, 1, 0)),
        (["LABEL_0", "LABEL_1", "LABEL_2"], (0, 1, 2)),
        (["LABEL_0", "LABEL_1"], (0, 2)),
        (["1 star", "2 stars", "3 stars", "4 stars", "5 stars"], (0, 0, 1, 2, 2)),
        (["5", "4", "3", "2", "1"], (2, 2, 1, 0, 0)),
        (["Very Negative", "Negative", "Neutral", "Positive", "Very Positive"], (0, 0, 1, 2, 2)),
        (["ポジティブ", "ニュートラル", "ネガティブ"], (2, 1, 0)),
    ],
)
def test_labels_are_understood(labels, expected):
    assert columns(labels) == expected


@pytest.mark.parametrize(
    "labels", [[], ["joy", "anger"], ["LABEL_0"], ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"], ["neutral", "positive"]]
)
def test_labels_are_not_guessed(labels):
    with pytest.raises(ModelError, match="without guessing"):
        columns(labels)


@given(st.floats(0, 1))
def test_two_classes_give_three_that_sum_to_one(p):
    three = to_three(["NEGATIVE", "POSITIVE"])(np.array([[1 - p, p]]))[0]
    assert three.sum() == pytest.approx(1)
    assert (three >= 0).all()
    assert three[2] - three[0] == pytest.approx(2 * p - 1)


# ------------------------------------------------------------------ calibration
def overconfident(posts, scale, seed):
    """Logits whose softmax is the truth's distribution, then stretched by `scale`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (posts, 3))
    truth = (softmax(logits).cumsum(1) > rng.random((posts, 1))).argmax(1)
    return logits * scale, truth


def test_biases_give_a_label_back_what_it_was_denied():
    logits, truth = overconfident(4_000, 1.5, seed=2)
    denied = logits - np.array([0.9, 0, 0])
    found = fitting.biases(denied, truth)
    assert sum(found) == pytest.approx(0, abs=1e-9)
    assert found[0] - found[1] == pytest.approx(0.9, abs=0.25)
    assert found[2] - found[1] == pytest.approx(0, abs=0.2)
    calibration = Calibration(biases={"en": found})
    english, other = (calibration.probabilities(denied, [code] * len(truth)).argmax(1) for code in ("en", "fr"))
    assert (english[truth == 0] == 0).mean() > (other[truth == 0] == 0).mean() + 0.05
    assert (english == truth).mean() > (other == truth).mean()


def test_few_posts_give_no_biases():
    logits, truth = overconfident(fitting.BIASED_FROM - 1, 1.5, seed=2)
    assert fitting.biases(logits - np.array([0.9, 0, 0]), truth) == (0.0, 0.0, 0.0)


def test_no_posts_have_no_probabilities():
    assert Calibration(biases={"en": (0.1, 0, -0.1)}).probabilities(np.empty((0, 3)), []).shape == (0, 3)


def test_emotions_are_named_from_one_half_on_where_f1_is_best():
    rng = np.random.default_rng(3)
    logits = rng.normal(-2, 1.5, (3_000, 8))
    truth = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    bound = fitting.emotion_bound(logits, truth)
    named = Calibration(emotion_bound=bound).emotions(logits) >= 0.5
    found = fitting.micro_f1(truth, named)
    assert 0.2 < bound < 0.45, "of true probabilities, F1 is best at half of its best value (Lipton et al., 2014)"
    assert found > fitting.micro_f1(truth, logits >= 0) + 0.02
    assert bound == pytest.approx(found / 2, abs=0.06)


def test_emotions_of_huge_logits_stay_scores():
    scores = Calibration(emotion_bound=0.3).emotions(np.array([[-1e6, 0.0, 1e6]]))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores[0]) > 0).all()


def test_the_temperature_undoes_overconfidence():
    logits, truth = overconfident(4_000, 2.5, seed=1)
    assert fitting.temperature(logits, truth) == pytest.approx(2.5, rel=0.1)
    before = fitting.expected_calibration_error(softmax(logits), truth)
    after = fitting.cross_validated(logits, truth, around=2.5)
    assert before > 0.12
    assert after < 0.04


def test_few_posts_move_a_language_little():
    logits, truth = overconfident(4_000, 1.0, seed=2)
    few_logits, few_truth = overconfident(30, 6.0, seed=3)
    found = fitting.temperatures(
        np.vstack([logits, few_logits]), np.concatenate([truth, few_truth]), ["en"] * 4_000 + ["xx"] * 30
    )
    alone = fitting.temperature(few_logits, few_truth)
    assert found["en"] == pytest.approx(1, rel=0.1)
    assert found["pooled"] < found["xx"] < alone
    assert found["elsewhere"] == found["xx"]


def test_calibration_error_of_the_right_and_the_wrong():
    sure = np.tile([0.9, 0.05, 0.05], (1_000, 1))
    assert fitting.expected_calibration_error(sure, np.repeat([0, 1], [900, 100])) == pytest.approx(0, abs=1e-9)
    assert fitting.expected_calibration_error(sure, np.repeat([0, 1], [400, 600])) == pytest.approx(0.5)


def test_confusion_counts_by_true_and_given():
    logits = np.eye(3)[[0, 0, 1, 2, 2]]
    assert fitting.confusion(logits, np.array([0, 1, 1, 2, 0])) == [[1, 0, 1], [1, 1, 0], [0, 0, 1]]


def test_probabilities_survive_large_logits():
    found = Calibration(temperatures={"en": 0.5}).probabilities(np.array([[1e4, -1e4, 0.0]]), ["en"])
    assert found.tolist() == [[1, 0, 0]]


# ------------------------------------------------------------------ shares
def test_the_corrected_share_is_the_true_one_in_expectation():
    truth = np.array([300, 500, 200])
    given_counts = truth @ (KNOWN / KNOWN.sum(1, keepdims=True))
    at_dev_mix = corrected_share({"negative": 1_000 / 3 * 0.95, "neutral": 1_000 - 1_000 / 3 * 0.95}, KNOWN)
    assert at_dev_mix.share == pytest.approx(1 / 3, abs=1e-3)
    found = corrected_share(dict(zip(("negative", "neutral", "positive"), given_counts, strict=True)), KNOWN)
    assert found.share == pytest.approx(0.3, abs=0.02)
    assert found.low < 0.3 < found.high


@pytest.mark.parametrize(("true_share", "posts"), [(0.1, 40), (0.3, 200), (0.6, 30)])
def test_the_interval_holds_the_truth_as_often_as_it_says(true_share, posts):
    rng, held, trials = np.random.default_rng(7), 0, 1_000
    se, sp, yes, no = 0.78, 0.88, 150, 300
    for _ in range(trials):
        hit, clear = rng.binomial(yes, se), rng.binomial(no, sp)
        table = [[hit, yes - hit, 0], [no - clear, clear, 0], [0, 0, 0]]
        negative = rng.binomial(posts, true_share * se + (1 - true_share) * (1 - sp))
        found = corrected_share({"negative": int(negative), "neutral": int(posts - negative)}, table)
        held += found.low <= true_share <= found.high
    assert 0.93 <= held / trials <= 0.995


posts = st.integers(0, 500)


@given(posts, posts, posts, st.lists(st.integers(0, 200), min_size=9, max_size=9))
def test_a_share_is_always_a_share(negative, neutral, positive, cells):
    counts = {"negative": negative, "neutral": neutral, "positive": positive}
    found = corrected_share(counts, np.reshape(cells, (3, 3)).tolist())
    assert 0 <= found.low <= found.high <= 1
    if negative + neutral + positive:
        assert found.low <= found.share <= found.high
    else:
        assert found == CorrectedShare(None, 0, 1)


def test_more_posts_narrow_the_interval_down_to_what_the_model_lets_known():
    widths = []
    for n in (10, 100, 1_000, 1_000_000):
        found = corrected_share({"negative": 0.3 * n, "neutral": 0.7 * n}, KNOWN)
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > 0.05


def test_a_model_that_cannot_tell_gives_no_information():
    assert corrected_share({"negative": 5, "neutral": 5}, [[10, 10, 10]] * 3) == CorrectedShare(0.5, 0.0, 1.0)


def test_em_finds_the_shares_of_a_shifted_set():
    rng = np.random.default_rng(5)
    truth = rng.choice(3, 20_000, p=[0.6, 0.3, 0.1])
    x = rng.normal(0, 1, (20_000, 3)) + 1.5 * np.eye(3)[truth]
    posterior = softmax(1.5 * x)
    assert np.abs(priors_by_em(posterior, [1, 1, 1]) - [0.6, 0.3, 0.1]).max() < 0.02
    assert np.abs(posterior.mean(axis=0) - [0.6, 0.3, 0.1]).max() > 0.04
