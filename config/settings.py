"""The settings, one class per table of the TOML file; every field's description becomes docs/configuration.md."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import holidays
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.secret import Secret

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/[^\s]*)?$")]
BaseUrl = Annotated[str, StringConstraints(pattern=r"^(https?://[^\s/@?#]+(/[^\s?#]*)?)?$")]
Language = Literal["ja", "en"]
Minutes = Annotated[float, Field(gt=0, le=1440)]
Rule = Literal[
    "volume_spike",
    "negative_surge",
    "viral_cascade",
    "rising_user",
    "silent_source",
    "community_quiet",
    "community_sour",
    "emotion_surge",
    "positive_surge",
]
Emotion = Literal["joy", "trust", "fear", "surprise", "sadness", "disgust", "anger", "anticipation"]
Severity = Literal["info", "warning", "critical"]
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
ClockRange = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


class Table(BaseModel):
    """A table of the file: an unknown key is an error, so that a typing error cannot go unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Topic(Table):
    """One thing that is watched: a brand, a product, a campaign."""

    slug: Slug = Field(description="Short name in the database and on the command line: a-z, 0-9, - and _.")
    name: str = Field("", description="Name in alerts; the slug when left out.")
    keywords: tuple[Text, ...] = Field((), description="Words; a post matches when one of them occurs in it.")
    phrases: tuple[Text, ...] = Field((), description="Several words that must occur in this order, side by side.")
    hashtags: tuple[Text, ...] = Field((), description="Hashtags, with or without #.")
    accounts: tuple[Text, ...] = Field(
        (), description="Accounts whose posts, mentions and replies belong to the topic: `x:handle` or `user@host`."
    )
    exclude: tuple[Text, ...] = Field((), description="A post with one of these words never matches.")
    languages: tuple[Text, ...] = Field((), description="Only posts in these languages (`ja`, `en`, ...); empty: all.")
    timezone: str = Field("Asia/Tokyo", description="IANA time zone of the team: hours, days and charts are in it.")
    holidays: str = Field("JP", description="Country whose public holidays count as Sundays; empty: none.")
    own_accounts: tuple[Text, ...] = Field(
        (),
        description="The brand's own accounts, shown apart and never scored: `x:handle` or `user@host`.",
    )
    sources: tuple[Literal["x", "mastodon"], ...] = Field(("x", "mastodon"), description="Networks to collect from.")
    sensitivity: Literal["low", "balanced", "high"] = Field("balanced", description="How easily alerts are raised.")
    window_days: int = Field(14, ge=1, le=90, description="Days that communities and resonance are computed from.")
    retention_days: int = Field(400, ge=1, description="Posts older than this lose their text and author.")
    alert_language: Language = Field("ja", description="Language of the alerts.")
    channels: tuple[Slug, ...] = Field((), description="Names of the channels that get the alerts; empty: all.")

    @field_validator("hashtags")
    @classmethod
    def _no_hash(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(tag.lstrip("#＃") for tag in tags)

    @field_validator("accounts", "own_accounts")
    @classmethod
    def _named(cls, accounts: tuple[str, ...]) -> tuple[str, ...]:
        for account in accounts:
            if not re.fullmatch(r"x:@?\w{1,50}|@?[^@\s:]+@[^@\s]+", account):
                raise ValueError(f"{account!r} is neither x:handle nor user@host")
        return accounts

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("not an IANA time zone such as Asia/Tokyo or Europe/London")
        return name

    @field_validator("holidays")
    @classmethod
    def _known_country(cls, code: str) -> str:
        if code and code not in holidays.list_supported_countries():
            raise ValueError("not a country code of the holidays library, such as JP, US or GB")
        return code

    @model_validator(mode="after")
    def _watches_something(self) -> Topic:
        if not (self.keywords or self.phrases or self.hashtags or self.accounts):
            raise ValueError("a topic needs at least one of keywords, phrases, hashtags or accounts")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The topic's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def title(self) -> str:
        """What people read."""
        return self.name or self.slug


class XSettings(Table):
    """Access to X. Without a token X is left out."""

    bearer_token: Secret = Field(None, description="App-only bearer token, best as `env:X_BEARER_TOKEN`.")
    base_url: HttpUrl = Field("https://api.x.com", description="Address of the API.")
    timeout: float = Field(20, gt=0, le=120, description="Seconds to wait for an answer.")
    daily_budget_usd: float = Field(5, ge=0, description="Most to spend in a UTC day; collection of X stops there.")
    daily_posts: int | None = Field(None, ge=0, description="Most posts to read in a UTC day; none: no such limit.")
    daily_requests: int | None = Field(None, ge=0, description="Most requests in a UTC day; none: no such limit.")
    cycle_day: int = Field(1, ge=1, le=28, description="Day of the month on which the billing cycle begins (UTC).")
    cycle_budget_usd: float | None = Field(
        None, ge=0, description="Most to spend in a billing cycle; none: only the days' budgets hold."
    )
    cycle_posts: int | None = Field(
        3_000_000, ge=0, description="Most posts to read in a billing cycle; the default is X's own cap."
    )
    cycle_requests: int | None = Field(None, ge=0, description="Most requests in a billing cycle; none: no such limit.")
    price_post_usd: float = Field(0.005, ge=0, description="Price of reading a post.")
    price_user_usd: float = Field(0.010, ge=0, description="Price of reading an account.")
    fields_parameter: Literal["tweet.fields", "post.fields"] = Field(
        "tweet.fields", description="Name of the fields parameter; X is renaming it."
    )


class MastodonInstance(Table):
    """A server of the fediverse to read from; public hashtags need no account on most servers."""

    url: HttpUrl = Field(description="Address of the server, such as https://mastodon.social.")
    access_token: Secret = Field(None, description="Token with the scope read, if the server asks for one.")
    public_timeline: bool = Field(False, description="Read the whole public timeline too, and match it locally.")
    timeout: float = Field(20, gt=0, le=120, description="Seconds to wait for an answer.")

    @property
    def host(self) -> str:
        """The domain, with a port if there is one."""
        return self.url.split("//", 1)[1].split("/", 1)[0].lower()


class _Routed(Table):
    """What every channel has: a name, and which alerts it gets when."""

    name: Slug = Field(description="Name of this channel in topics and on the command line.")
    topics: tuple[Slug, ...] = Field((), description="Only alerts of these topics; empty: all.")
    rules: tuple[Rule, ...] = Field((), description="Only alerts of these rules; empty: all.")
    min_severity: Severity = Field("info", description="Only alerts that are at least this grave.")
    quiet_hours: tuple[ClockRange, ...] = Field(
        (), description='Times in the topic\'s zone, such as `["22:00-08:00"]`, whose alerts are sent at their end.'
    )
    quiet_lets_critical_pass: bool = Field(True, description="What is critical is sent during quiet hours too.")
    escalate_after_minutes: float | None = Field(
        None, gt=0, le=1440, description="What nobody has acknowledged so long after it was sent is escalated."
    )
    escalate_to: Slug | None = Field(None, description="Name of the channel that is told then.")
    digest: Literal["off", "daily", "weekly"] = Field("off", description="A summary of the last day or week.")
    digest_at: ClockTime = Field("09:00", description="When, in the first topic's zone; a weekly one on Mondays.")
    digest_language: Language | None = Field(None, description="Its language; none: that of the first topic.")

    @model_validator(mode="after")
    def _escalates_somewhere(self) -> Self:
        if (self.escalate_after_minutes is None) != (self.escalate_to is None):
            raise ValueError("escalate_after_minutes and escalate_to belong together")
        if self.escalate_to == self.name:
            raise ValueError("escalate_to names the channel itself")
        return self


class SlackChannel(_Routed):
    """A Slack channel: by a bot token (threads, updates, charts), or by an incoming webhook."""

    type: Literal["slack"] = Field("slack", description="`slack`.")
    bot_token: Secret = Field(
        None,
        description="Bot token, best as `env:SLACK_BOT_TOKEN`; scopes chat:write, files:write, channels:history "
        "(groups:history for a private channel). Give this and `channel`, or `webhook_url`.",
    )
    channel: str = Field("", pattern=r"^([CGD][A-Z0-9]{1,30})?$", description="With a bot token: the channel's id.")
    webhook_url: Secret = Field(None, description="Incoming webhook, best as `env:SLACK_WEBHOOK_URL`.")
    app_token: Secret = Field(
        None, description="App-level token (`env:SLACK_APP_TOKEN`, connections:write) for buttons by Socket Mode."
    )
    api_url: HttpUrl = Field("https://slack.com/api/", description="Address of Slack's Web API.")
    timeout: float = Field(15, gt=0, le=120, description="Seconds to wait for an answer.")

    @model_validator(mode="before")
    @classmethod
    def _one_way(cls, data: Any) -> Any:
        """Looks at what is written: a secret that the environment lacks is for `check` to tell."""
        if not isinstance(data, dict):
            return data
        ways = [key for key in ("bot_token", "webhook_url") if data.get(key) is not None]
        if len(ways) != 1:
            raise ValueError("a Slack channel has exactly one of bot_token and webhook_url")
        if ways == ["bot_token"] and not data.get("channel"):
            raise ValueError("bot_token needs channel, the id of a Slack channel such as C0123456789")
        if ways == ["webhook_url"] and (data.get("channel") or data.get("app_token")):
            raise ValueError("channel and app_token belong to bot_token; a webhook has its channel already")
        return data

    @property
    def by_bot(self) -> bool:
        """Is it the Web API, with threads, or a webhook?"""
        return bool(self.channel)


class EmailChannel(_Routed):
    """Recipients of email, by SMTP."""

    type: Literal["email"] = Field("email", description="`email`.")
    host: str = Field(description="SMTP server.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="`none` only for a server on this machine."
    )
    username: str = Field("", description="SMTP user, if the server asks for one.")
    password: Secret = Field(None, description="SMTP password, best as `env:SMTP_PASSWORD`.")
    sender: str = Field(description="From address.")
    recipients: tuple[str, ...] = Field(min_length=1, description="To addresses.")
    timeout: float = Field(20, gt=0, le=120, description="Seconds to wait for an answer.")

    @field_validator("sender", "recipients")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in [value] if isinstance(value, str) else value:
            if not re.fullmatch(r"[^@\r\n]+@[^@\s]+", address):
                raise ValueError(f"{address!r} is not an email address")
        return value


class AppriseChannel(_Routed):
    """Anything else that the Apprise library reaches: LINE, Teams, Discord, ... (extra `apprise`)."""

    type: Literal["apprise"] = Field("apprise", description="`apprise`.")
    apprise_url: Secret = Field(
        None, description="Apprise's address of one service, best as `env:APPRISE_URL`; it holds the credentials."
    )
    timeout: float = Field(15, gt=0, le=120, description="Seconds to wait for a connection, and for an answer.")

    @model_validator(mode="before")
    @classmethod
    def _addressed(cls, data: Any) -> Any:
        """Looks at what is written: a secret that the environment lacks is for `check` to tell."""
        if isinstance(data, dict) and data.get("apprise_url") is None:
            raise ValueError('an apprise channel needs apprise_url, best as "env:APPRISE_URL"')
        return data

    @property
    def by_bot(self) -> bool:
        """There are no threads, and nothing can be asked or changed afterwards."""
        return False


Channel = Annotated[SlackChannel | EmailChannel | AppriseChannel, Field(discriminator="type")]


class Alerts(Table):
    """When and how people are told."""

    max_age_minutes: int = Field(
        120, ge=1, description="What began longer ago at first sight is stored as historic, not sent."
    )
    cool_down_minutes: int = Field(
        360, ge=0, description="The same rule on the same subject stays silent this long after an end."
    )
    max_per_hour: int = Field(12, ge=1, description="More in one hour and channel arrive as one summary.")
    rules: tuple[Rule, ...] = Field(
        ("volume_spike", "negative_surge", "viral_cascade", "rising_user", "silent_source"),
        description="Rules that are on. Off by default: `community_quiet` and `community_sour` (groups of ten or "
        "more), `emotion_surge` and `positive_surge`.",
    )
    emotions: tuple[Emotion, ...] = Field(
        ("anger", "fear", "disgust"),
        description="Emotions whose rise `emotion_surge` tells, while that rule is on and the model has emotions.",
    )
    viral_probability: float = Field(
        0.5, gt=0, lt=1, description="A cascade is told when its chance of the top 5% reaches this."
    )
    viral_reshares: int = Field(
        20, ge=1, description="... and it has been reshared this often, and more than most of the topic's posts."
    )
    silence_hours: float = Field(
        6, gt=0, description="A source without an answer or a post this long is told, if that is unusual."
    )


class Schedule(Table):
    """How often each part of the work is done, in minutes."""

    collect: Minutes = Field(5, description="Asking the networks for new posts.")
    refresh: Minutes = Field(15, description="Asking again for counts, reshares and replies of what is moving.")
    score: Minutes = Field(2, description="Scoring sentiment.")
    analyse: Minutes = Field(15, description="Communities, resonance and cascades.")
    alert: Minutes = Field(2, description="Rules and incidents.")
    deliver: Minutes = Field(0.5, description="Sending what is queued.")
    digest: Minutes = Field(10, description="Looking whether a channel's digest is due.")
    housekeeping: Minutes = Field(720, description="Retention, thinning of old runs.")


class Health(Table):
    """Health of the daemon over HTTP, on loopback only."""

    port: int = Field(0, ge=0, le=65535, description="Port of `/healthz` and `/metrics` on 127.0.0.1; 0: none.")


class Dashboard(Table):
    """Pages for people: what a link in an email opens. Served by the daemon once `base_url` is set."""

    base_url: BaseUrl = Field(
        "", description="Address under which people reach the pages; with it, emails carry links to answer by."
    )
    host: str = Field(
        "127.0.0.1",
        pattern=r"^[A-Za-z0-9.:_-]+$",
        description="Where the daemon listens; a reverse proxy with TLS belongs in front of it.",
    )
    port: int = Field(9465, ge=1, le=65535, description="Its port.")
    link_days: float = Field(14, gt=0, le=90, description="Days that a link can be used.")
    link_secret: Secret = Field(
        None, description="Signs the links, 16 characters or more (`env:NAME`); none: a key file beside the database."
    )

    @field_validator("base_url")
    @classmethod
    def _no_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @field_validator("link_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < 16:
            raise ValueError("a secret of less than 16 characters can be guessed")
        return secret


class Model(Table):
    """The sentiment model."""

    name: str = Field(
        "embedded", description="`embedded`, a folder with an ONNX model, or a Hugging Face model (extra `torch`)."
    )
    threads: int = Field(0, ge=0, le=64, description="Threads for scoring; 0: as many as the machine has cores.")


class Settings(BaseSettings):
    """Everything. A value of the environment (`RESONANCE_X__BEARER_TOKEN`) stands above the file."""

    model_config = SettingsConfigDict(
        env_prefix="RESONANCE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    database: Path = Field(Path("resonance.sqlite"), description="The SQLite file; relative to the configuration file.")
    contact: str = Field("", description="Address in the User-Agent, so that an instance's admin can reach you.")
    topics: tuple[Topic, ...] = Field((), description="What is watched.")
    x: XSettings = Field(XSettings(), description="Access to X.")
    mastodon: tuple[MastodonInstance, ...] = Field((), description="Servers of the fediverse.")
    channels: tuple[Channel, ...] = Field((), description="Where alerts go.")
    alerts: Alerts = Field(Alerts(), description="When and how people are told.")
    schedule: Schedule = Field(Schedule(), description="How often work is done.")
    model: Model = Field(Model(), description="The sentiment model.")
    health: Health = Field(Health(), description="Health of the daemon over HTTP.")
    dashboard: Dashboard = Field(Dashboard(), description="Pages for people.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _names_agree(self) -> Settings:
        for kind, names in (
            ("topics", [t.slug for t in self.topics]),
            ("channels", [c.name for c in self.channels]),
            ("mastodon", [m.host for m in self.mastodon]),
        ):
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{kind}: {sorted(twice)[0]!r} occurs twice")
        known = {channel.name for channel in self.channels}
        for topic in self.topics:
            for name in topic.channels:
                if name not in known:
                    raise ValueError(f"topics: {topic.slug!r} names the channel {name!r}, which [[channels]] lacks")
        for channel in self.channels:
            if channel.escalate_to is not None and channel.escalate_to not in known:
                raise ValueError(f"channels: {channel.name!r} escalates to {channel.escalate_to!r}, which is not there")
            for slug in channel.topics:
                if slug not in {topic.slug for topic in self.topics}:
                    raise ValueError(f"channels: {channel.name!r} names the topic {slug!r}, which [[topics]] lacks")
        return self

    def topic(self, slug: str) -> Topic:
        """The topic of that name. Raises KeyError."""
        for topic in self.topics:
            if topic.slug == slug:
                return topic
        raise KeyError(slug)

    def channels_of(self, topic: Topic) -> tuple[SlackChannel | EmailChannel | AppriseChannel, ...]:
        """The channels that a topic's alerts go to."""
        return tuple(c for c in self.channels if not topic.channels or c.name in topic.channels)

    @property
    def networks(self) -> frozenset[str]:
        """The networks that can be read: X with a token, the fediverse with an instance."""
        return frozenset(["x"] * (self.x.bearer_token is not None) + ["mastodon"] * bool(self.mastodon))

    @property
    def max_age(self) -> timedelta:
        """Evidence older than this at first sight never alerts."""
        return timedelta(minutes=self.alerts.max_age_minutes)
