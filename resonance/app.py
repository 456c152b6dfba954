"""What every command begins with: the settings, the store, the log."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog

from config import Settings, load
from config.load import DEFAULT_PATH
from store import Store


def utc_now() -> datetime:
    """The present moment; commands and the daemon ask here and pass it on."""
    return datetime.now(UTC)


def settings_from(path: Path | None, *, optional: bool = False) -> Settings:
    """The settings; with `optional` the defaults when there is no file and none was named."""
    if optional and path is None and not os.environ.get("RESONANCE_CONFIG") and not DEFAULT_PATH.exists():
        return Settings()
    return load(path)


def open_store(settings: Settings, *, create: bool = True, read_only: bool = False) -> Store:
    """The store that the settings name."""
    return Store.open(settings.database, create=create, read_only=read_only)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log lines for people on a terminal, JSON lines otherwise; never post text, never secrets."""
    render: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # Libraries that narrate every request, addresses with tokens included.
    for name in ("urllib3", "tweepy", "apscheduler", "httpx", "httpcore", "slack_sdk", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL + 1)  # the daemon's own listener tells it
