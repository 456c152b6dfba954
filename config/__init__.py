"""What the operator wrote: typed settings from TOML and the environment, their defaults, a sample file."""

from config.errors import ConfigError
from config.load import load, parse
from config.sample import SAMPLE
from config.settings import (
    Alerts,
    AppriseChannel,
    Channel,
    EmailChannel,
    MastodonInstance,
    Schedule,
    Settings,
    SlackChannel,
    Topic,
    XSettings,
)

__all__ = [
    "SAMPLE",
    "Alerts",
    "AppriseChannel",
    "Channel",
    "ConfigError",
    "EmailChannel",
    "MastodonInstance",
    "Schedule",
    "Settings",
    "SlackChannel",
    "Topic",
    "XSettings",
    "load",
    "parse",
]
