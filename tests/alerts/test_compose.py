"""What an alert says: in the reader's language, against what was expected, how sure, and what might be done."""

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import people
from alerts.compose import compose, compose_rollup, tone_of
from alerts.incidents import apply
from alerts.read import Incident, incident
from alerts.rules import HABITS
from alerts.texts import plain
from alerts.values import mood
from store.records import iso
from tests.alerts.alert_cases import NOW, add_post, settings_of, signal, surge

FACTS = {
    "viral_cascade": {
        "forecast": 900, "forecast_low": 400, "forecast_high": 2100, "p_top5": 0.71, "reproduction": 0.9,
        "age_minutes": 95, "posts": 30, "negative": 1,
    },
    "rising_user": {"account": "hanako@mstdn.jp", "rank": 3, "follower_rank": 812, "resonance": 71.4},
    "community_quiet": {"direction": "down", "members": 31, "communities": ["latte"]},
    "community_sour": {"direction": "up", "posts": 60, "negative": 33, "communities": ["latte"]},
    "emotion_surge": {"direction": "up", "emotion": "anger", "words": ["返金"]},
    "positive_surge": {"direction": "up", "posts": 40, "positive": 26, "negative": 2, "mood": "positive"},
    "silent_source": {"source": "x", "reason": "429 until 12:00", "last_seen": iso(NOW - timedelta(hours=7))},
}  # fmt: skip


def told(store, signal_, language="ja", kind="opened", now=NOW):
    config = settings_of(language=language)
    config = config.model_copy(update={"alerts": config.alerts.model_copy(update={"rules": tuple(HABITS)})})
    (change, *_) = apply(store, config, [signal_], NOW)
    return compose(config, incident(store, change.incident_id), kind, now)


def case(rule, **facts):
    return Incident(
        1, "coffee", rule, "coffee", "open", False, "warning", NOW, NOW, NOW, NOW, None, None, None, facts
    )  # fmt: skip


def test_a_surge_in_japanese(store):
    add_post(store, "x:1", "返金してほしい", reshares=128)
    message = told(store, surge(evidence=(("x:1", 1.0),)))
    text = plain(message)
    assert message.title == "「鳴海珈琲」への否定的な投稿が増えています"
    assert "否定的な投稿の割合が46%（48件のうち22件）に上がりました。" in text
    assert "12%" in text and "5%〜20%" in text
    assert "11月22日(日) 18:00（30分前から）" in text
    assert "ふだんの範囲を大きく超えています" in text
    assert "返金してほしい" in text and "128件の共有" in text and "https://x.com/hanako/status/1" in text
    assert "ご判断ください" in text and "resonance alerts ack 1" in text
    assert "関西の常連" in text and "異物、返金" in text


def test_counts_of_another_period_are_not_mixed_into_the_share(store):
    text = plain(told(store, surge(facts={"posts": 90, "negative": 60})))
    assert "割合が46%に上がりました。" in text
    assert "否定的な投稿：始まってから90件のうち60件" in text


def test_a_spike_in_english(store):
    text = plain(told(store, signal(), "en"))
    assert "There were 48 posts in the last 15 min, about 7.7 times the 6 posts we would expect." in text
    assert "usual range at this hour and weekday is 2 to 14 posts" in text
    assert "for you to decide" in text


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("rule", HABITS)
def test_every_rule_tells_a_whole_story(store, rule, direction, language):
    facts = {"direction": direction, **FACTS.get(rule, {"posts": 40, "negative": 10})}
    given_ = surge(facts=facts) if rule == "negative_surge" else signal(rule, subject="s", facts=facts)
    message = told(store, given_, language)
    assert message.title and message.summary and message.advice and message.commands
    assert not re.search(r"[{}]|None|\bnan\b", plain(message))


@pytest.mark.parametrize("rule", HABITS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_without_any_fact_it_still_makes_sense(store, rule, language):
    bare = signal(rule, subject="s", expected=None, low=None, high=None, series=(), facts={}, confidence=0.0)
    message = told(store, bare, language)
    assert message.summary
    assert not re.search(r"[{}]|None|\bnan\b", plain(message))


def test_a_cascade_tells_its_forecast_with_its_range(store):
    text = plain(told(store, signal("viral_cascade", subject="x:1", observed=210.0, facts=FACTS["viral_cascade"])))
    assert "95分で210件の共有" in text and "約900件の共有（90%の範囲で400〜2,100件の共有）" in text and "71%" in text


def test_a_rising_user_is_told_with_the_follower_rank(store):
    text = plain(told(store, signal("rising_user", subject="x:9", facts=FACTS["rising_user"]), "en"))
    assert "#3 by influence (#812 by followers)" in text
    assert "more than the number of followers suggests" in text


def test_an_account_is_called_by_its_handle_and_no_more_is_claimed_than_known(store):
    add_post(store, "x:1", "a", author="hanako")
    facts = {"account": "x:hanako", "rank": 3, "follower_rank": 2}
    text = plain(told(store, signal("rising_user", subject="x:hanako", facts=facts), "en"))
    assert "hanako now ranks #3" in text and "x:hanako" not in text
    assert "more than the number of followers suggests" not in text


def test_silence_is_unknown_not_zero(store):
    text = plain(told(store, signal("silent_source", topic=None, subject="mstdn.jp", facts=FACTS["silent_source"])))
    assert "わかっていること：429 until 12:00" in text
    assert "7時間" in text and "「ゼロ」ではなく「不明」" in text


@pytest.mark.parametrize(
    ("rule", "facts", "tone"),
    [
        ("viral_cascade", {"posts": 30, "negative": 1}, "chance"),
        ("viral_cascade", {"posts": 30, "negative": 20}, "risk"),
        ("viral_cascade", {"posts": 3, "negative": 0}, "plain"),
        ("viral_cascade", {}, "plain"),
        ("viral_cascade", {"mood": "positive"}, "chance"),
        ("volume_spike", {"posts": 30, "negative": 1, "direction": "down"}, "plain"),
        ("volume_spike", {"posts": 30, "negative": 1, "linked": {"negative_surge": {}}}, "risk"),
        ("negative_surge", {"direction": "down"}, "chance"),
        ("negative_surge", {"direction": "up"}, "risk"),
        ("positive_surge", {"direction": "up"}, "chance"),
        ("volume_spike", {"posts": 30, "negative": 6, "linked": {"positive_surge": {}}}, "plain"),
        ("silent_source", {}, "fault"),
    ],
)
def test_a_joy_is_a_chance_and_a_crisis_a_risk(rule, facts, tone):
    assert tone_of(case(rule, **facts)) == tone


def test_a_share_and_a_count_of_negative_posts_are_told_apart():
    assert mood({"posts": 20, "negative": 1}) == "positive"
    assert mood({"negative": 0.9}) == "negative"
    assert mood({"posts": 20, "negative": 0.5}) == "negative"


def test_what_joined_is_told_too(store):
    config = settings_of(language="en")
    apply(store, config, [surge(), signal()], NOW)
    text = plain(compose(config, incident(store, 1), "opened", NOW))
    assert "The number of posts is up at the same time (48 posts; we would expect 6 posts)." in text


@pytest.mark.parametrize(
    ("observed", "words"),
    [(0.65, "has risen to 65% (26 of 40 posts)."), (0.9, "has risen to 90%."), (0.9, "26 of 40 posts since it began")],
)
def test_a_joy_counts_the_positive_posts(store, observed, words):
    joy = signal("positive_surge", observed=observed, expected=0.3, facts=FACTS["positive_surge"], severity="info")
    text = plain(told(store, joy, "en"))
    assert words in text and "egative" not in text


def test_the_end_says_so_and_suggests_nothing(store):
    config = settings_of()
    apply(store, config, [signal()], NOW)
    apply(store, config, [signal(active=False)], NOW + timedelta(hours=2))
    message = compose(config, incident(store, 1), "resolved", NOW + timedelta(hours=2))
    assert message.badge == "収束" and message.title == "「鳴海珈琲」の投稿の数がふだんの範囲に戻りました"
    assert message.summary == ("11月22日(日) 20:30 に収束しました。", "30分ほど続き、最も大きいときで48件でした。")
    assert "急に増えています" in message.subject
    assert not message.advice and not message.quotes and not message.commands


def test_the_subject_stays_while_the_incident_grows(store):
    config = settings_of()
    apply(store, config, [signal()], NOW)
    before = compose(config, incident(store, 1), "opened", NOW)
    apply(store, config, [signal(severity="critical", observed=300.0)], NOW)
    after = compose(config, incident(store, 1), "opened", NOW)
    assert (before.subject, before.thread) == (after.subject, after.thread)
    assert before.severity != after.severity


def test_networks_have_their_names(store):
    message = told(store, signal("silent_source", topic=None, subject="mastodon", facts={"source": "mastodon"}))
    assert message.title == "Mastodon から投稿が届いていません"


def test_a_removed_post_is_named_without_its_text_or_link(store):
    add_post(store, "x:1", "消した投稿")
    config = settings_of()
    apply(store, config, [signal(evidence=(("x:1", 1.0),))], NOW)
    with store.write() as db:
        db.execute("UPDATE posts SET removed_at = ?, text = '' WHERE id = 'x:1'", (iso(NOW),))
    text = plain(compose(config, incident(store, 1), "opened", NOW))
    assert "消した" not in text and "x.com" not in text and "削除" in text


def test_gaps_in_collection_are_said(store):
    text = plain(told(store, signal(facts={"coverage": 0.6})))
    assert "60%" in text and "不明" in text
    assert "残りは不明" not in plain(told(store, signal(subject="b", facts={"coverage": 1.0})))


def test_a_roll_up_begins_with_the_gravest(store):
    config = settings_of(language="en")
    apply(store, config, [signal("viral_cascade", subject="a"), surge()], NOW)
    rolled = compose_rollup(config, [(incident(store, n), "opened") for n in (1, 2)], 5)
    assert rolled.title == "2 alerts in one message"
    assert "[Critical]" in rolled.items[0] and "[Critical]" not in rolled.items[1]


nasty = st.text(st.characters(exclude_categories=()), max_size=60)


@settings(max_examples=60, deadline=None)
@given(words=st.lists(nasty, max_size=4), account=nasty, source=nasty, last_seen=st.just(iso(NOW)))
def test_strangers_names_never_break_or_format_the_text(words, account, source, last_seen):
    facts = {"words": words, "communities": words, "account": account, "source": source, "last_seen": last_seen}
    for rule in ("rising_user", "silent_source", "volume_spike"):
        text = plain(compose(settings_of(), case(rule, observed=5.0, **facts), "opened", NOW))
        text.encode("utf-8")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
        assert "://" not in text


@pytest.mark.parametrize("language", ["ja", "en"])
def test_what_follows_names_what_it_is_about_and_an_end_is_calm(store, language):
    config = settings_of(language=language)
    apply(store, config, [signal()], NOW)
    apply(store, config, [surge()], NOW + timedelta(minutes=10))
    found = incident(store, 1)
    first = compose(config, found, "opened", NOW)
    note = next(n["id"] for n in found.notes if n["kind"] == "updated")
    for kind in ("update", "escalation"):
        message = compose(config, found, kind, NOW + timedelta(hours=1), note_id=note)
        assert message.summary[0] == message.heading == first.title != message.title
        assert message.tone == "risk"
    people.resolve(store, 1, "hanako", NOW + timedelta(hours=2))
    assert compose(config, incident(store, 1), "resolved", NOW + timedelta(hours=2)).tone == "over"
