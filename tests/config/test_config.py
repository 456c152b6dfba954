"""The configuration: what is wrong is said by key, secrets are never shown, the environment stands above the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import SAMPLE, ConfigError, Settings, load, parse

TOPIC = '[[topics]]\nslug = "t"\nkeywords = ["a"]\n'
SLACK = '[[channels]]\ntype = "slack"\nname = "team"\n'
HOOK = 'webhook_url = "https://hooks.example/a"\n'


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text, "r.toml")
    assert error.value.exit_code == 78
    return str(error.value)


WRONG = [
    ("topics = [", "r.toml is not valid TOML"),
    ("colour = 1", "colour: there is no such key"),
    (TOPIC + "keyword = 1", "topics[0].keyword: there is no such key"),
    ('[[topics]]\nslug = "t"', "needs at least one of keywords"),
    ('[[topics]]\nslug = "Größe"\nkeywords = ["a"]', "topics[0].slug"),
    (TOPIC + 'timezone = "Tokyo"', "topics[0].timezone = 'Tokyo': not an IANA time zone"),
    (TOPIC + 'holidays = "XX"', "not a country code"),
    (TOPIC + 'sources = ["bluesky"]', "topics[0].sources[0]"),
    (TOPIC + 'accounts = ["taro"]', "'taro' is neither x:handle nor user@host"),
    (TOPIC + 'own_accounts = ["@taro"]', "neither x:handle nor user@host"),
    (TOPIC + 'channels = ["team"]', "names the channel 'team', which [[channels]] lacks"),
    (TOPIC + TOPIC, "topics: 't' occurs twice"),
    ('[[mastodon]]\nurl = "m.example"', "mastodon[0].url"),
    ('[[mastodon]]\nurl = "https://user:pw@m.example"', "mastodon[0].url"),
    ("[x]\ndaily_budget_usd = -1", "x.daily_budget_usd = -1"),
    ("[schedule]\ncollect = 0", "schedule.collect"),
    ('[dashboard]\nbase_url = "resonance.example"', "dashboard.base_url = 'resonance.example'"),
    ('[dashboard]\nbase_url = "https://r.example/?a=1"', "dashboard.base_url"),
    ('[dashboard]\nlink_secret = "s3cret"', "less than 16 characters"),
    ('[[channels]]\ntype = "apprise"\nname = "line"', "an apprise channel needs apprise_url"),
    ('[[channels]]\ntype = "pager"\nname = "p"', "channels[0]"),
    (
        '[[channels]]\ntype = "email"\nname = "m"\nhost = "h"\nsender = "a"\nrecipients = ["b@c"]',
        "not an email address",
    ),
    ('[[channels]]\ntype = "email"\nname = "m"\nhost = "h"\nsender = "a@b"\nrecipients = []', "channels[0].recipients"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_what_is_wrong_is_said_by_its_key(text: str, told: str) -> None:
    assert told in refused(text)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    told = refused(TOPIC + 'timezone = "x"\n[x]\ntimeout = 0\n')
    assert "topics[0].timezone" in told and "x.timeout" in told


@pytest.mark.parametrize("value", ['["s3cret"]', "{ a = 's3cret' }"])
def test_a_secret_of_a_wrong_type_is_not_shown(value: str) -> None:
    assert "s3cret" not in refused(f"[x]\nbearer_token = {value}")
    assert "s3cret" not in refused(SLACK + f"webhook_url = {value}")


def test_secrets_come_from_the_environment_a_file_or_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("MY_TOKEN", "from-env")
    for value, secret in (("env:MY_TOKEN", "from-env"), (f"file:{tmp_path}/token", "from-file"), ("plain", "plain")):
        settings = parse(f'[x]\nbearer_token = "{value}"')
        assert settings.x.bearer_token is not None and settings.x.bearer_token.get_secret_value() == secret
        assert secret not in repr(settings) and secret not in str(settings.model_dump())
    for value in ("env:NOT_SET", ""):
        assert parse(f'[x]\nbearer_token = "{value}"').x.bearer_token is None
    (tmp_path / "binary").write_bytes(b"\xff\xfes3cret")
    assert "s3cret" not in refused(f'[x]\nbearer_token = "file:{tmp_path}/binary"')


def test_the_environment_stands_above_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESONANCE_X__BEARER_TOKEN", "env")
    monkeypatch.setenv("RESONANCE_CONFIG", "not-a-key-of-ours.toml")
    settings = parse('[x]\nbearer_token = "file-text"\ntimeout = 7')
    assert settings.x.bearer_token is not None and settings.x.bearer_token.get_secret_value() == "env"
    assert settings.x.timeout == 7


def test_the_database_lies_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.toml"
    for written, expected in (("d.sqlite", tmp_path / "d.sqlite"), ("/var/d.sqlite", Path("/var/d.sqlite")),
                              ("~/d.sqlite", Path("~/d.sqlite").expanduser())):  # fmt: skip
        path.write_text(f'database = "{written}"')
        assert load(path).database == expected
    monkeypatch.setenv("RESONANCE_CONFIG", str(path))
    assert load().database == Path("~/d.sqlite").expanduser()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(path)


def test_the_sample_is_valid_and_every_commented_table_too() -> None:
    parse(SAMPLE)
    channels = re.sub("^# ", "", SAMPLE[SAMPLE.index("# [[channels]]") :], flags=re.MULTILINE)
    settings = parse(SAMPLE[: SAMPLE.index("# [[channels]]")] + channels)
    assert [channel.name for channel in settings.channels] == ["social-team", "mail", "line"]
    assert settings.dashboard.base_url and not parse(SAMPLE).dashboard.base_url
    assert settings.health.port == 9464 and parse(SAMPLE).health.port == 0


def test_channels_of_a_topic() -> None:
    two = SLACK + HOOK + SLACK.replace("team", "press") + HOOK
    settings = parse(TOPIC + 'channels = ["press"]\n' + TOPIC.replace('"t"', '"u"') + two)
    assert [[c.name for c in settings.channels_of(t)] for t in settings.topics] == [["press"], ["team", "press"]]
    assert settings.topic("u").title == "u"
    with pytest.raises(KeyError):
        settings.topic("v")


def test_hashtags_lose_their_sign_and_networks_are_those_that_can_be_read() -> None:
    settings = parse('[[topics]]\nslug = "t"\nhashtags = ["#a", "＃b", "c"]\n[[mastodon]]\nurl = "https://M.example/x"')
    assert settings.topics[0].hashtags == ("a", "b", "c")
    assert settings.networks == {"mastodon"} and settings.mastodon[0].host == "m.example"
    assert Settings().networks == frozenset()


def test_secrets_of_links_and_services_are_not_shown() -> None:
    channel = '[[channels]]\ntype = "apprise"\nname = "line"\napprise_url = "line://s3cret/user"\n'
    settings = parse(channel + '[dashboard]\nlink_secret = "s3cret-s3cret-s3cret"\n')
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in refused('[dashboard]\nlink_secret = "s3cret"')
    assert "s3cret" not in refused(channel.replace('"line://s3cret/user"', '["s3cret"]'))


def test_the_address_of_the_pages_has_no_slash_at_its_end() -> None:
    assert parse('[dashboard]\nbase_url = "https://r.example/pages/"').dashboard.base_url == "https://r.example/pages"
