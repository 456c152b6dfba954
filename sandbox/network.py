"""The whole sandbox network as one context manager.

>>> with Sandbox(world, lambda: now, mastodon=["mastodon.sandbox"], slack=True) as sandbox:
...     sandbox.x_url, sandbox.mastodon_urls["mastodon.sandbox"], sandbox.slack.webhook_url
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sandbox.faults import FaultPlan
from sandbox.index import Clock, Indexes
from sandbox.mastodon_api import INSTANCE, MASTODON_TOKEN, MastodonApi
from sandbox.receivers import SlackReceiver, SmtpReceiver
from sandbox.server import HttpServer
from sandbox.world import World
from sandbox.x_api import X_TOKEN, XApi


class Sandbox:
    """Starts what is asked for on loopback, stops it at the end; `clock` says what has happened by now.

    `x` and `mastodon_options` may be mappings of further options of `XApi` and `MastodonApi`. The attributes `x_url`,
    `mastodon_url`, `mastodon_urls`, `slack` and `smtp` tell where things are; `faults` makes them fail.
    """

    x_token = X_TOKEN
    mastodon_token = MASTODON_TOKEN

    def __init__(
        self,
        world: World,
        clock: Clock,
        *,
        x: bool | Mapping[str, Any] = True,
        mastodon: Sequence[str] = (INSTANCE,),
        mastodon_options: Mapping[str, Any] | None = None,
        slack: bool = False,
        smtp: bool = False,
        folder: Path | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        self.world, self.clock, self.folder = world, clock, folder
        self.faults = faults if faults is not None else FaultPlan()
        self.indexes = Indexes(world)
        shared: dict[str, Any] = {"faults": self.faults, "indexes": self.indexes}
        self.x_api = XApi(world, clock, **shared, **(dict(x) if isinstance(x, Mapping) else {})) if x else None
        options = dict(mastodon_options or {})
        self.mastodon_apis = {host: MastodonApi(world, clock, host, **shared, **options) for host in mastodon}
        self._wants_slack, self._wants_smtp = slack, smtp
        self.x_url = ""
        self.mastodon_urls: dict[str, str] = {}
        self.slack: SlackReceiver | None = None
        self.smtp: SmtpReceiver | None = None
        self._stack = ExitStack()

    @property
    def mastodon_url(self) -> str:
        """The base address of the first instance."""
        return next(iter(self.mastodon_urls.values()), "")

    def start(self) -> Sandbox:
        """Start the servers; what was started is stopped again when one of them fails."""
        with ExitStack() as stack:
            if self.x_api:
                server = HttpServer(self.x_api.app, self.clock, self.faults, "x")
                self.x_url = stack.enter_context(server).url
            for host, api in self.mastodon_apis.items():
                server = HttpServer(api.app, self.clock, self.faults, api.name)
                self.mastodon_urls[host] = stack.enter_context(server).url
            if self._wants_slack:
                self.slack = stack.enter_context(SlackReceiver(self.clock, self.faults, self._below("slack")))
            if self._wants_smtp:
                self.smtp = stack.enter_context(SmtpReceiver(self._below("mail")))
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop everything."""
        self._stack.close()

    def _below(self, name: str) -> Path | None:
        return self.folder / name if self.folder else None

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
