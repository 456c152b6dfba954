"""The digest: told once a day or week, in the reader's language, by what is known."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts import people
from alerts import slack as room
from alerts.digest import digest, queue_digests, span_of
from alerts.incidents import apply
from alerts.outbox import deliver
from alerts.texts import plain
from resonance.cycle import digest_job, wants_digest
from sandbox.slack_rules import refusal
from store.records import iso
from tests.alerts.alert_cases import NOW, add_post, bot_settings, signal, surge

TOKYO = ZoneInfo("Asia/Tokyo")
DAY = date(2026, 11, 22)  # of NOW; a Sunday
NEXT = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)  # 09:00 on Monday in Tokyo


def hours(store, first, days, *, posts=2, negative=1, positive=0, coverage=1.0):
    """Hours of the topic, all alike."""
    rows = []
    for n in range(days * 24):
        local = datetime(first.year, first.month, first.day, tzinfo=TOKYO) + timedelta(hours=n)
        at = local.astimezone(UTC)
        sentiment = (negative, posts - negative - positive, positive)
        rows.append(("coffee", iso(at), local.isoformat(timespec="minutes")[:16], posts, *sentiment, coverage, iso(at)))
    with store.write() as db:
        db.executemany(
            "INSERT INTO topic_hours (topic, hour_utc, hour_local, posts, own_posts, authors, reshares, negative, "
            "neutral, positive, uncertain, coverage, complete, updated_at) "
            "VALUES (?, ?, ?, ?, 0, 1, 0, ?, ?, ?, 0, ?, 1, ?)",
            rows,
        )


def people_of(store, *accounts):
    with store.write() as db:
        db.execute(
            "INSERT INTO runs (kind, topic, state, started_at, window_from, window_to, parameters, seed, versions) "
            "VALUES ('graph', 'coffee', 'done', ?, ?, ?, '{}', 1, '{}')",
            (iso(NOW),) * 3,
        )
        for rank, (handle, score, flags) in enumerate(accounts, 1):
            db.execute(
                "INSERT INTO accounts (id, network, handle, first_seen, observed_at) VALUES (?, 'x', ?, ?, ?)",
                (f"x:{handle}", handle, iso(NOW), iso(NOW)),
            )
            db.execute(
                "INSERT INTO resonance (run_id, account_id, resonance, low, high, rank, parts, parts_missing, flags) "
                "VALUES (1, ?, ?, 0, 100, ?, '{}', '[]', ?)",
                (f"x:{handle}", score, rank, json.dumps(flags)),
            )


def full(store, config):
    """A day with everything that a digest can tell."""
    hours(store, DAY - timedelta(days=28), 28)
    hours(store, DAY, 1, posts=3, negative=2, positive=1)
    people_of(store, ("brand", 95, ["own"]), ("hana.ko", 82.4, []), ("bot", 80, ["bot"]), ("taro", 71, ["new"]))
    add_post(store, "x:1", "<!channel> 新作 https://evil.example", at=NOW - timedelta(hours=2), reshares=40)
    with store.write() as db:
        db.execute(
            "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, per_hour, communities) "
            "VALUES ('coffee', 'x:1', 'tree', ?, ?, 41, 1, '[]')",
            (iso(NOW - timedelta(hours=2)), iso(NOW)),
        )
    apply(store, config, [signal(series=()), surge(subject="other", topic=None, facts={}, series=())], NOW)
    people.feedback(store, 2, "helpful", "hanako", "", NOW)


TOLD = {
    "ja": """11月22日(日) の動き
        お知らせは2件で、うち2件がまだ続いて
        72件でした（直近4週間の1日平均48件に比べて50%増）
        否定的な投稿は67%（直近4週間は50%）、好意的な投稿は33%
        (82)
        [重大]
        投稿数の変化：役に立った 1件、誤報 0件（役に立った割合 100%）
        よく広がった投稿
        40件の共有""",
    "en": """What happened on Sun 22 Nov
        2 alerts in this period; still going on: 2 alerts
        72 posts (daily average of the last four weeks 48 posts: 50% more)
        67% of posts were negative (50% over
        (82)
        [Critical]
        Change in volume: helpful 1, false alarms 0 (helpful 100%)
        Posts that spread most
        40 shares""",
}


@pytest.mark.parametrize("language", TOLD)
def test_it_tells_volume_mood_people_incidents_and_precision(store, slack, language):
    config = bot_settings(slack, language=language)
    full(store, config)
    message = digest(store, config, config.channels[0], "daily 2026-11-22")
    text = plain(message)
    assert [words for words in TOLD[language].splitlines() if words.strip() not in text] == []
    assert "brand" not in text and "bot" not in text.replace("bottle", "")
    assert "https://evil" not in text and "{" not in text


def test_slack_takes_it_and_nothing_in_it_pings(store, slack):
    config = bot_settings(slack)
    full(store, config)
    for body in slack_bodies(store, config):
        assert refusal(body) is None
        assert "mrkdwn" not in json.dumps(body["blocks"])


def slack_bodies(store, config):
    return room.payloads(digest(store, config, config.channels[0], "daily 2026-11-22"))


def test_the_channels_language_overrules_the_topics(store, slack):
    config = bot_settings(slack, channel='digest_language = "en"')
    hours(store, DAY, 1)
    assert digest(store, config, config.channels[0], "daily 2026-11-22").language == "en"


def test_what_is_not_known_is_not_told(store, slack):
    config = bot_settings(slack)
    hours(store, DAY, 1, posts=0, negative=0, coverage=0.5)
    text = plain(digest(store, config, config.channels[0], "daily 2026-11-22"))
    assert "収集できたのはこの期間の50%" in text and "投稿は0件でした。" in text
    assert "否定的な投稿は" not in text and "直近4週間" not in text and "まだ評価がありません" in text
    empty = plain(digest(store, config, config.channels[0], "daily 2026-11-20"))
    assert "この期間のデータはありません" in empty and "0件" not in empty


def test_a_week_is_compared_with_weeks(store, slack):
    config = bot_settings(slack)
    hours(store, DAY - timedelta(days=34), 35)
    text = plain(digest(store, config, config.channels[0], "weekly 2026-11-22"))
    assert "11月16日(月)〜11月22日(日) の1週間の動き" in text
    assert "投稿は336件でした（直近4週間の週平均336件に比べてほぼ横ばい）" in text


# ------------------------------------------------------------------ when
def queued(store):
    return [tuple(r) for r in store.query("SELECT channel, about FROM deliveries WHERE kind = 'digest' ORDER BY id")]


def test_a_daily_one_is_queued_once_after_its_time(store, slack):
    config = bot_settings(slack, channel='digest = "daily"')
    hours(store, DAY - timedelta(days=3), 5)
    assert queue_digests(store, config, NEXT - timedelta(minutes=1)) == 0
    assert [queue_digests(store, config, NEXT + timedelta(minutes=n)) for n in (0, 10, 600)] == [1, 0, 0]
    assert queued(store) == [("team", "daily 2026-11-22")]
    assert queue_digests(store, config, NEXT + timedelta(days=1)) == 1
    deliver(store, config, NEXT + timedelta(days=1, minutes=1))
    assert len(slack.messages) == 1, "what waited for a whole day is no news any more"


def test_a_weekly_one_comes_on_monday_also_when_the_daemon_was_down(store, slack):
    config = bot_settings(slack, channel='digest = "weekly"\ndigest_at = "18:00"')
    hours(store, DAY - timedelta(days=30), 40)
    evening = NEXT + timedelta(hours=9)
    assert queue_digests(store, config, evening - timedelta(minutes=1)) == 0
    assert queue_digests(store, config, evening + timedelta(days=2)) == 1
    assert queued(store) == [("team", "weekly 2026-11-22")]
    assert queue_digests(store, config, evening + timedelta(days=4)) == 0


def test_one_that_is_long_gone_or_knows_nothing_is_left_out(store, slack):
    config = bot_settings(slack, channel='digest = "daily"')
    assert queue_digests(store, config, NEXT) == 0
    hours(store, DAY, 1)
    assert queue_digests(store, config, NEXT + timedelta(hours=21)) == 0
    assert queue_digests(store, bot_settings(slack), NEXT) == 0


def test_it_arrives_at_slack_and_by_email_with_the_same_content(store, slack, smtp):
    mail = bot_settings(slack, smtp=smtp, channel='digest = "daily"')
    text = mail.model_copy(update={"channels": tuple(c.model_copy(update={"digest": "daily"}) for c in mail.channels)})
    full(store, text)
    with store.write() as db:
        db.execute("DELETE FROM deliveries")
    assert queue_digests(store, text, NEXT) == 2
    assert deliver(store, text, NEXT).sent == 2
    (email,) = (m.parsed() for m in smtp.messages)
    assert email["Subject"] == "[まとめ] 11月22日(日) の動き"
    assert "72件でした" in email.get_body(("html",)).get_content()
    assert "72件でした" in json.dumps(slack.messages[0].payload["blocks"], ensure_ascii=False)


def test_spans():
    week = span_of("weekly 2026-11-22", TOKYO)
    assert (week.first, week.last, week.about) == (date(2026, 11, 16), DAY, "weekly 2026-11-22")
    assert week.bounds == ("2026-11-15T15:00:00Z", "2026-11-22T15:00:00Z")


def test_the_cycles_job_says_what_it_queued(store, slack):
    config = bot_settings(slack, channel='digest = "daily"')
    hours(store, DAY, 1)
    assert wants_digest(config) and not wants_digest(bot_settings(slack))
    assert digest_job(store, config, NEXT).result == "1 digests queued"
    assert store.one("SELECT error FROM jobs WHERE name = 'digest'") is None
