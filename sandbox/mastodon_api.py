"""The Mastodon REST API of one instance on loopback, as much of it as a reader needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import FaultPlan, error_body, rate_headers
from sandbox.index import Clock, Indexes
from sandbox.limits import RateLimiter
from sandbox.mastodon_handlers import ROUTES, Call, Handler, Refusal
from sandbox.mastodon_index import InstanceView
from sandbox.mastodon_instance import ACCESS
from sandbox.server import JSON
from sandbox.world import World

MASTODON_TOKEN = "sandbox-mastodon-token"
INSTANCE = "mastodon.sandbox"
REQUESTS = 300


class MastodonApi:
    """Answers of one instance; `access` is configuration.timelines_access (public, authenticated or disabled)."""

    def __init__(
        self,
        world: World,
        clock: Clock,
        instance: str = INSTANCE,
        *,
        tokens: Sequence[str] = (MASTODON_TOKEN,),
        access: Mapping[str, dict[str, str]] | None = None,
        faults: FaultPlan | None = None,
        limit_clock: Clock | None = None,
        limit: int = REQUESTS,
        indexes: Indexes | None = None,
    ) -> None:
        self.world, self.clock, self.instance, self.tokens = world, clock, instance, frozenset(tokens)
        self.name = f"mastodon:{instance}"
        self.access = {**ACCESS, **(access or {})}
        self.faults = faults if faults is not None else FaultPlan()
        self.limit_clock, self.limit, self.limiter = limit_clock or clock, limit, RateLimiter(300, aligned=True)
        self.indexes = indexes or Indexes(world)
        self._view: InstanceView | None = None
        routes = [Route(path, self._endpoint(handler)) for path, handler in ROUTES]
        self.app = Starlette(routes=routes, exception_handlers={404: _unknown_path})
        self.app.router.redirect_slashes = False

    def view(self) -> InstanceView:
        """The current view of the world."""
        base = self.indexes.get("mastodon")
        if self._view is None or self._view.base is not base:
            self._view = InstanceView(base, self.instance)
        return self._view

    def _endpoint(self, handler: Handler) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            return self._answer(request, handler)

        return endpoint

    def _answer(self, request: Request, handler: Handler) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        signed_in = kind.lower() == "bearer" and token in self.tokens
        moment = self.limit_clock() + self.faults.skew(self.name)
        allowance = self.limiter.take(token if signed_in else "anonymous", self.limit, moment)
        headers = rate_headers(self.name, allowance.limit, allowance.remaining, allowance.reset)
        if allowance.remaining < 0:
            return JSON(error_body(self.name, 429), 429, headers)
        if kind and not signed_in:
            return JSON({"error": "The access token is invalid"}, 401, headers)
        call = Call(request, self.view(), self.clock(), signed_in, self.access, self.world.emojis)
        try:
            body = handler(call)
        except Refusal as refusal:
            return JSON({"error": refusal.message}, refusal.status, headers)
        return JSON(body, 200, {**headers, **call.headers})


async def _unknown_path(request: Request, error: Exception) -> Response:
    return JSON({"error": "Record not found"}, 404)
