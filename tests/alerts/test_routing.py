"""Who is told when: routing, quiet hours, mutes. What is not told is recorded."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import mutes
from alerts.errors import NotPossible
from alerts.incidents import apply
from alerts.outbox import deliver
from alerts.queueing import quiet_until
from alerts.read import incident
from config import ConfigError, parse
from config.settings import SlackChannel
from tests.alerts.alert_cases import NOW, bot_settings, settings_of, signal, surge

TOKYO = ZoneInfo("Asia/Tokyo")
NIGHT = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)  # 23:00 in Tokyo
MORNING = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)  # 08:00 there


def minutes(n, start=NOW):
    return start + timedelta(minutes=n)


def quiet(*spans, **changes):
    return SlackChannel(name="c", webhook_url="https://h/x", quiet_hours=spans, **changes)


def deliveries(store):
    return [tuple(r) for r in store.query("SELECT channel, kind, state FROM deliveries ORDER BY id")]


def fresh(now, **changes):
    return signal(began_at=now - timedelta(minutes=20), series=(), **changes)


# ------------------------------------------------------------------ routing
@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("", True),
        ('rules = ["volume_spike"]', True),
        ('rules = ["rising_user"]', False),
        ('min_severity = "warning"', True),
        ('min_severity = "critical"', False),
        ('topics = ["coffee"]', True),
    ],
)
def test_a_channel_gets_what_it_asks_for(store, slack, keys, told):
    config = bot_settings(slack, channel=keys)
    (change,) = apply(store, config, [signal()], NOW)
    assert change.kind == "opened" and bool(change.queued) is told


def test_another_topics_channel_is_not_told_but_a_silent_source_concerns_all(store, slack):
    extra = '\n[[topics]]\nslug = "tea"\nkeywords = ["tea"]\n'
    config = bot_settings(slack, extra=extra, channel='topics = ["tea"]')
    assert apply(store, config, [signal()], NOW)[0].queued == 0
    assert apply(store, config, [signal("silent_source", topic=None, subject="x")], NOW)[0].queued == 1


def test_what_grows_graver_reaches_those_who_want_the_grave_only(store, slack):
    config = bot_settings(slack, channel='min_severity = "critical"')
    apply(store, config, [fresh(NOW)], NOW)
    assert deliveries(store) == []
    apply(store, config, [fresh(NOW, severity="critical")], minutes(5))
    deliver(store, config, minutes(5))
    assert deliveries(store) == [("team", "opened", "sent")]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('topics = ["tea"]', "names the topic 'tea'"),
        ('escalate_after_minutes = 15\nescalate_to = "nobody"', "escalates to 'nobody'"),
        ("escalate_after_minutes = 15", "belong together"),
        ('escalate_after_minutes = 15\nescalate_to = "team"', "itself"),
        ('quiet_hours = ["22-8"]', "quiet_hours"),
        ('quiet_hours = ["24:00-08:00"]', "quiet_hours"),
        ('digest_at = "9:00"', "digest_at"),
    ],
)
def test_a_wrong_route_is_an_error_of_the_configuration(slack, keys, told):
    with pytest.raises(ConfigError, match=told):
        bot_settings(slack, channel=keys)


# ------------------------------------------------------------------ quiet hours
@pytest.mark.parametrize(
    ("span", "at", "end"),
    [
        ("22:00-08:00", "2026-11-22T23:00", "2026-11-23T08:00"),
        ("22:00-08:00", "2026-11-23T00:00", "2026-11-23T08:00"),
        ("22:00-08:00", "2026-11-23T07:59", "2026-11-23T08:00"),
        ("22:00-08:00", "2026-11-23T08:00", None),
        ("22:00-08:00", "2026-11-22T21:59", None),
        ("12:00-13:30", "2026-11-22T12:00", "2026-11-22T13:30"),
        ("12:00-13:30", "2026-11-22T13:30", None),
        ("09:00-09:00", "2026-11-22T09:00", None),
    ],
)
def test_the_end_of_quiet_hours_in_the_topics_zone(span, at, end):
    now = datetime.fromisoformat(at).replace(tzinfo=TOKYO).astimezone(UTC)
    wanted = None if end is None else datetime.fromisoformat(end).replace(tzinfo=TOKYO)
    assert quiet_until(quiet(span), TOKYO, now, "warning") == wanted


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1439), st.integers(0, 1439), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.sampled_from(["Asia/Tokyo", "Europe/London", "America/New_York"]),
)  # fmt: skip
def test_quiet_hours_end_later_within_a_day_and_are_over_then(begin, end, moment, zone):
    span = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    until = quiet_until(quiet(span), ZoneInfo(zone), moment.replace(tzinfo=UTC), "info")
    if until is None:
        return
    assert timedelta(0) < until - moment.replace(tzinfo=UTC) <= timedelta(hours=25)
    local = until.astimezone(ZoneInfo(zone))
    assert (local.hour * 60 + local.minute) in (end, end + 60)  # an hour later where the clock skips


def test_critical_passes_unless_it_may_not():
    assert quiet_until(quiet("22:00-08:00"), TOKYO, NIGHT, "critical") is None
    strict = quiet("22:00-08:00", quiet_lets_critical_pass=False)
    assert quiet_until(strict, TOKYO, NIGHT, "critical") == MORNING


def test_one_incident_of_the_night_comes_by_itself_in_the_morning(store, slack):
    config = bot_settings(slack, channel='quiet_hours = ["22:00-08:00"]')
    (change,) = apply(store, config, [fresh(NIGHT)], NIGHT)
    assert change.kind == "opened" and incident(store, 1).state == "open"
    assert deliver(store, config, NIGHT).waiting == 1
    deliver(store, config, MORNING - timedelta(minutes=1))
    assert slack.messages == []
    deliver(store, config, MORNING)
    assert len(slack.messages) == 1 and deliveries(store) == [("team", "opened", "sent")]


def test_several_of_the_night_come_as_one_summary(store, slack, smtp):
    config = bot_settings(slack, smtp=smtp, channel='quiet_hours = ["22:00-08:00"]')
    night = [fresh(NIGHT, rule="viral_cascade", subject=f"x:{n}") for n in range(3)]
    apply(store, config, night, NIGHT)
    deliver(store, config, NIGHT)
    assert len(smtp.messages) == 3, "the other channel has no quiet hours"
    apply(store, config, [], NIGHT + timedelta(hours=7))
    deliver(store, config, MORNING)
    (summary,) = slack.messages
    text = str(summary.payload["blocks"])
    assert "通知を控える時間帯" in text and all(f"#{n} [収束]" in text for n in (1, 2, 3))
    assert {state for channel, kind, state in deliveries(store) if channel == "team" and kind == "opened"} == {
        "rolled_up"
    }


def test_what_turns_critical_at_night_is_told_at_once(store, slack):
    config = bot_settings(slack, channel='quiet_hours = ["22:00-08:00"]')
    apply(store, config, [fresh(NIGHT)], NIGHT)
    apply(store, config, [fresh(NIGHT, severity="critical")], minutes(20, NIGHT))
    deliver(store, config, minutes(20, NIGHT))
    assert len(slack.messages) == 1


# ------------------------------------------------------------------ mutes
def test_a_mute_silences_until_its_end_and_counts_what_it_silenced(store, slack):
    config = settings_of(slack)
    number = mutes.mute(store, "coffee", "volume_spike", minutes(60), "hanako", "セール", NOW)
    assert apply(store, config, [signal()], minutes(1))[0].queued == 0
    (row,) = mutes.listed(store, minutes(2))
    assert (row["id"], row["silenced"], row["holds"], row["reason"]) == (number, 1, True, "セール")
    mutes.unmute(store, number, minutes(5))
    assert mutes.listed(store, minutes(6)) == []
    assert [r["holds"] for r in mutes.listed(store, minutes(6), everything=True)] == [False]
    assert apply(store, config, [surge(subject="other")], minutes(7))[0].queued == 1
    with pytest.raises(NotPossible, match="no mute"):
        mutes.unmute(store, number, minutes(8))


def test_a_mute_silences_what_is_going_on_but_its_message_stays_current(store, slack):
    config = bot_settings(slack)
    apply(store, config, [fresh(NOW)], NOW)
    deliver(store, config, NOW)
    mutes.mute(store, None, None, minutes(300), "hanako", "", minutes(1))
    apply(store, config, [fresh(NOW, severity="critical")], minutes(5))
    apply(store, config, [signal(active=False)], minutes(90))
    deliver(store, config, minutes(110))
    assert len(slack.messages) == 1
    assert "収束" in str(slack.messages[0].payload["blocks"])


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("90m", NOW + timedelta(minutes=90)),
        ("8h", NOW + timedelta(hours=8)),
        ("2w", NOW + timedelta(weeks=2)),
        ("2026-11-23T09:00", datetime(2026, 11, 23, 0, 0, tzinfo=UTC)),
        ("2026-11-23T09:00Z", datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),
    ],
)
def test_an_end_is_a_length_or_a_time(text, end):
    assert mutes.end_of(text, NOW, TOKYO) == end


@pytest.mark.parametrize("text", ["", "soon", "8", "8 hours", "-3h"])
def test_anything_else_is_no_end(text):
    with pytest.raises(ValueError, match="8h"):
        mutes.end_of(text, NOW, TOKYO)


@pytest.mark.parametrize(("end", "told"), [(-1, "over already"), (60 * 24 * 91, "90 days")])
def test_a_mute_without_a_sensible_end_is_refused(store, end, told):
    with pytest.raises(NotPossible, match=told):
        mutes.mute(store, None, None, minutes(end), "hanako", "", NOW)


def test_the_defaults_change_nothing():
    (channel,) = parse('[[channels]]\ntype = "slack"\nname = "c"\nwebhook_url = "https://h/x"\n').channels
    assert quiet_until(channel, TOKYO, NIGHT, "info") is None and channel.digest == "off"
