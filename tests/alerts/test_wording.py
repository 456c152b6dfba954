"""Both languages say the same things, in words and numbers that people read."""

from datetime import UTC, datetime, timedelta
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from alerts import wording as w
from alerts.rules import HABITS


def _names(value):
    if isinstance(value, str):
        return {name for _, name, _, _ in Formatter().parse(value) if name}
    if isinstance(value, list):
        return set().union(*map(_names, value)) if value else set()
    return set()


def _flat(table, path=""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", value


def test_the_languages_have_the_same_keys_and_placeholders():
    ja, en = (dict(_flat(w.strings(language))) for language in ("ja", "en"))
    assert ja.keys() == en.keys()
    assert {k for k in ja if _names(ja[k]) != _names(en[k])} == set()
    assert {k for k in ja if isinstance(ja[k], list) and len(ja[k]) != len(en[k])} == set()


@pytest.mark.parametrize("rule", HABITS)
def test_every_rule_has_words(rule):
    for language in ("ja", "en"):
        said = w.strings(language)
        assert said["rules"][rule] and said["chart"][rule]
        for table in ("title", "summary", "advice"):
            assert f"{rule}_up" in said[table]


def test_a_sentence_with_something_unknown_falls_back_or_is_left_out():
    told = w.sentences([["{a} and {b}", "{a}"], ["{b}"]], {"a": "1", "b": None})
    assert told == ["1"]


def test_values_are_never_parsed_as_templates():
    assert w.fill("{a}", {"a": "{secret} {0} %s"}) == "{secret} {0} %s"


@pytest.mark.parametrize(
    ("value", "told"),
    [(1234.4, "1,234"), (6.2, "6.2"), (3.0, "3"), (0.456, "0.46"), (0, "0"), (None, None), (float("nan"), None)],
)
def test_numbers(value, told):
    assert w.number(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(0.42, "42%"), (0.9999, ">99%"), (0.001, "<1%"), (0.0, "0%"), (1.0, "100%"), (None, None)]
)
def test_percentages_never_claim_certainty(value, told):
    assert w.percent(value) == told


def test_units_and_times():
    moment = datetime(2026, 11, 22, 16, 5, tzinfo=UTC)
    tokyo = ZoneInfo("Asia/Tokyo")
    assert w.clock("ja", moment, tokyo) == "11月23日(月) 01:05"
    assert w.clock("en", moment, tokyo) == "Mon 23 Nov, 01:05"
    assert w.duration("ja", timedelta(minutes=95)) == "95分"
    assert w.duration("en", timedelta(hours=5)) == "5 h"
    assert w.unit("en", "posts", "1") == "1 post"
    assert w.unit("ja", "posts", "1,200") == "1,200件"


def test_sparkline_shows_gaps_as_gaps():
    assert w.sparkline([0, 1, None, 7, 7]) == "▁▂ ██"
    assert w.sparkline([1, None, 2]) == ""
    assert w.sparkline([0, 0, 0, 0]) == "▁▁▁▁"


def test_confidence_grows_with_the_number():
    words = [w.confidence_words("ja", value) for value in (0.55, 0.85, 0.96)]
    assert len(set(words)) == 3
