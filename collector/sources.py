"""What is configured, as sources. A new network adds its line here."""

from __future__ import annotations

from collector.base import Source
from collector.mastodon.source import MastodonSource
from collector.x.budget import SpentSince, nothing_spent
from collector.x.source import XSource
from config import Settings


def sources(settings: Settings, spent: SpentSince = nothing_spent) -> list[Source]:
    """Every configured source; X only with a token. `spent` reads the store's table `spend`.

    Close them when done; one is not to be used by two threads at once.
    """
    found: list[Source] = []
    if settings.x.bearer_token is not None:
        found.append(XSource(settings.x, spent))
    hosts = tuple(instance.host for instance in settings.mastodon)
    found += [MastodonSource(instance, hosts, settings.contact) for instance in settings.mastodon]
    return found
