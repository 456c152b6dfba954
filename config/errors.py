"""What is wrong with a configuration."""


class ConfigError(Exception):
    """The configuration cannot be used; the message names the key, what it holds and what is allowed."""

    exit_code = 78
