"""Groups against everybody else: what is told, and how seldom chance alone is."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.trends.groups import FEWEST, WEEKS, Mood, silence, turn


def people(seed=0, group=40, others=200, now=0.8, others_now=0.8, usual=0.8):
    """Who was seen in which week; the first `group` rows are the members."""
    rng = np.random.default_rng(seed)
    weeks = rng.random((group + others, 1 + WEEKS)) < usual
    weeks[:group, 0] = rng.random(group) < now
    weeks[group:, 0] = rng.random(others) < others_now
    return weeks, np.arange(group + others) < group


def mood(seed, share, posts, people=50):
    return Mood(posts, int(np.random.default_rng(seed).binomial(posts, share)), people)


def test_regulars_who_stay_away_are_told_with_what_was_expected():
    said = silence(*people(now=0.1))
    assert said is not None and said.fallen()
    assert said.regulars >= 25 and said.seen < said.expected / 2
    assert said.expected == pytest.approx(0.8 * said.regulars, rel=0.2)


def test_a_week_in_which_everybody_stays_away_is_a_holiday():
    said = silence(*people(now=0.15, others_now=0.15))
    assert said is not None and not said.fallen()


def test_a_small_group_and_a_group_without_others_are_not_judged():
    assert silence(*people(group=FEWEST - 1, now=0.0, usual=1.0)) is None
    assert silence(*people(others=0, now=0.0)) is None


def test_newcomers_are_no_regulars():
    weeks, members = people(now=0.0)
    weeks[:, 2:] = False
    assert silence(weeks, members) is None


def test_steady_groups_are_hardly_ever_silent():
    fallen = [silence(*people(seed, usual=0.7, now=0.7, others_now=0.7)) for seed in range(500)]
    assert sum(s is not None and s.fallen() for s in fallen) == 0


def test_a_stricter_bound_tells_less():
    said = silence(*people(now=0.25))
    assert said is not None
    assert said.fallen(said.z / 4 * 0.9)
    assert not said.fallen(said.z / 4 * 1.1)


def test_a_group_that_turns_sour_against_the_others_is_told():
    said = turn(mood(1, 0.6, 120), mood(2, 0.2, 480), mood(3, 0.2, 900), mood(4, 0.2, 3600))
    assert said is not None and said.sour()
    assert said.share == pytest.approx(0.6, abs=0.1) and said.expected == pytest.approx(0.2, abs=0.06)


def test_news_that_sour_everybody_are_no_change_of_one_group():
    said = turn(mood(1, 0.6, 120), mood(2, 0.2, 480), mood(3, 0.6, 900), mood(4, 0.2, 3600))
    assert said is not None and not said.sour() and said.expected > 0.45


def test_others_that_cheer_up_do_not_make_a_group_sour():
    said = turn(mood(1, 0.3, 120), mood(2, 0.3, 480), mood(3, 0.05, 900), mood(4, 0.3, 3600))
    assert said is not None and not said.sour()


@pytest.mark.parametrize("few", [Mood(29, 29, 20), Mood(100, 100, FEWEST - 1)])
def test_few_posts_or_people_have_no_mood(few):
    enough = mood(1, 0.2, 400)
    assert turn(few, enough, enough, enough) is None
    assert turn(enough, few, enough, enough) is None


def test_steady_moods_hardly_ever_turn():
    turned = [turn(*(mood(4 * seed + i, 0.3, n) for i, n in enumerate((100, 400, 900, 3600)))) for seed in range(500)]
    assert sum(t is not None and t.sour() for t in turned) == 0
