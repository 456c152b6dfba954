"""The X API v2 on loopback, as much of it as a reader needs: search, timelines, lookups, engagement, counts, usage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import FaultPlan, error_body, rate_headers, usage_capped
from sandbox.index import Clock, Indexes
from sandbox.limits import RateLimiter
from sandbox.server import JSON
from sandbox.world import World
from sandbox.x_handlers import ROUTES, Call, Handler, Usage
from sandbox.x_index import XIndex
from sandbox.x_objects import JSONDict, respelled
from sandbox.x_query import QueryError
from sandbox.x_request import Parameters, Problem, invalid

X_TOKEN = "sandbox-x-token"


class XApi:
    """Answers for one world; `spelling="post"` sends the newer names of the fields."""

    def __init__(
        self,
        world: World,
        clock: Clock,
        *,
        tokens: Sequence[str] = (X_TOKEN,),
        spelling: Literal["tweet", "post"] = "tweet",
        faults: FaultPlan | None = None,
        limit_clock: Clock | None = None,
        limits: dict[str, int] | None = None,
        usage_cap: int = 3_000_000,
        indexes: Indexes | None = None,
    ) -> None:
        self.clock, self.tokens, self.spelling = clock, frozenset(tokens), spelling
        self.limit_clock = limit_clock or clock
        self.faults = faults if faults is not None else FaultPlan()
        self.limits = {**{path: limit for path, limit, _, _ in ROUTES}, **(limits or {})}
        self.limiter = RateLimiter(900)
        self.indexes = indexes or Indexes(world)
        self._index: XIndex | None = None
        self.usage = Usage(usage_cap)
        routes = [Route(path, self._endpoint(path, handler, known)) for path, _, handler, known in ROUTES]
        self.app = Starlette(routes=routes, exception_handlers={404: _unknown_path})

    def _endpoint(self, path: str, handler: Handler, known: Sequence[str]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            return self._answer(request, path, handler, known)

        return endpoint

    def _answer(self, request: Request, path: str, handler: Handler, known: Sequence[str]) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or token not in self.tokens:
            return JSON(error_body("x", 401), 401)
        moment = self.limit_clock() + self.faults.skew("x")
        allowance = self.limiter.take(f"{token} {path}", self.limits[path], moment)
        headers = rate_headers("x", allowance.limit, allowance.remaining, allowance.reset)
        if allowance.remaining < 0:
            return JSON(error_body("x", 429), 429, headers)
        if path != "/2/usage/tweets" and self.usage.total() >= self.usage.cap:
            return JSON(usage_capped(), 429, headers)
        try:
            answer, status = self._handle(request, handler, known), 200
        except Problem as problem:
            answer, status = problem.body, problem.status
        if self.spelling == "post":
            answer = respelled(answer)
        return JSON(answer, status, headers)

    def _handle(self, request: Request, handler: Handler, known: Sequence[str]) -> JSONDict:
        params = Parameters(request.query_params, known)
        now = self.clock()
        call = Call(params, request.path_params, self.index(), now, params.wanted(), self.usage)
        try:
            answer = handler(call)
        except QueryError as error:
            raise invalid("query", params["query"] or "", str(error)) from None
        self.usage.add(answer, now)
        return answer

    def index(self) -> XIndex:
        """The current index."""
        base = self.indexes.get("x")
        if self._index is None or self._index.base is not base:
            self._index = XIndex(base)
        return self._index


async def _unknown_path(request: Request, error: Exception) -> Response:
    return JSON(error_body("x", 404), 404)
