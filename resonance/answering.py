"""The pages behind the links in emails, over HTTP: served by the daemon, on loopback unless told otherwise.

Requests are worked off one at a time in a thread of their own: whoever asks too often waits, and the daemon's work does
not. GET and HEAD only read; what counts is a POST with the form that a GET gave out.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from alerts.answers.desk import LANGUAGES, Desk
from alerts.answers.key import key_of
from alerts.answers.links import PATH
from alerts.answers.pages import Page, html, policy
from config.settings import Language, Settings
from resonance.errors import UserError
from store import Store, StoreError

LARGEST_FORM = 4096
PATIENCE = 10.0
"""Seconds that a form may take to arrive."""
STARTS_WITHIN = 10.0
_log = structlog.get_logger()


class CannotListen(UserError):
    """The address or the port cannot be had."""


def application(desk: Desk, base_url: str, clock: Callable[[], datetime], pool: ThreadPoolExecutor) -> Starlette:
    """The pages as an ASGI application; `pool` has one thread, which does all work on the store."""
    prefix = urlsplit(base_url).path.rstrip("/")

    async def on(work: Callable[[], Page], accepted: str) -> Response:
        try:
            page = await asyncio.get_running_loop().run_in_executor(pool, work)
        except StoreError as error:
            _log.warning("answer_not_recorded", error=type(error).__name__)
            page = desk.nothing(accepted, name="busy", status=503)
        except Exception as error:
            _log.error("answer_page_failed", error=type(error).__name__)
            page = desk.nothing(accepted, name="busy", status=500)
        return _response(page)

    async def opened(request: Request) -> Response:
        token, language, accepted = _said(request)
        return await on(lambda: desk.ask(token, clock(), language=language, accepted=accepted), accepted)

    async def pressed(request: Request) -> Response:
        token, language, accepted = _said(request)
        form, elsewhere = await _form(request), _from_elsewhere(request, base_url)
        return await on(
            lambda: desk.hear(token, form, clock(), language=language, accepted=accepted, elsewhere=elsewhere), accepted
        )

    async def robots(_: Request) -> Response:
        return PlainTextResponse("User-agent: *\nDisallow: /\n", headers=_headers())

    async def lost(request: Request, _: Exception) -> Response:
        return _response(desk.nothing(request.headers.get("accept-language", "")))

    places = dict.fromkeys(("", prefix))  # a proxy passes the path of base_url on, or takes it away
    routes = [
        route
        for place in places
        for route in (
            Route(f"{place}/{PATH}/{{token}}", opened, methods=["GET"]),
            Route(f"{place}/{PATH}/{{token}}", pressed, methods=["POST"]),
        )
    ]
    return Starlette(routes=[*routes, Route("/robots.txt", robots)], exception_handlers=dict.fromkeys((404, 405), lost))


def _said(request: Request) -> tuple[str, Language | None, str]:
    chosen = request.query_params.get("lang")
    language = next((known for known in LANGUAGES if known == chosen), None)
    return str(request.path_params["token"]), language, request.headers.get("accept-language", "")


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of a small form that arrives in time; nothing of any other."""
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST_FORM:
                    return {}
    except TimeoutError:
        return {}
    try:
        return dict(parse_qsl(body.decode("utf-8"), max_num_fields=8))
    except (UnicodeDecodeError, ValueError):
        return {}


def _from_elsewhere(request: Request, base_url: str) -> bool:
    """Does the browser say that another site has sent the form? (`Origin` is null under no-referrer.)"""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "null")
    parts = urlsplit(base_url)
    own = {"null", f"{parts.scheme}://{parts.netloc}", f"{request.url.scheme}://{request.headers.get('host', '')}"}
    return site not in ("same-origin", "none") or origin not in own


def _response(page: Page) -> Response:
    return Response(html(page), page.status, _headers(), "text/html; charset=utf-8")


def _headers() -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy(),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
    }


class AnswerServer:
    """Serves in a thread of its own; a context manager."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Callable[[], datetime],
        *,
        host: str | None = None,
        port: int | None = None,
        base_url: str | None = None,
    ) -> None:
        """Listens at once, answers from `__enter__` on; what is given replaces the settings, port 0 takes a free one.

        Raises CannotListen, KeyUnusable.
        """
        place = settings.dashboard
        desk = Desk(store, settings, key_of(settings))
        base_url = place.base_url if base_url is None else base_url
        self._socket = _listener(host or place.host, place.port if port is None else port)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="answers")
        config = uvicorn.Config(
            application(desk, base_url, clock, self._pool),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=64,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="answers", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def wait(self) -> None:
        """Until Ctrl-C, which raises KeyboardInterrupt."""
        self._thread.join()

    def __enter__(self) -> AnswerServer:
        self._thread.start()
        waiting = threading.Event()
        for _ in range(int(STARTS_WITHIN / 0.01)):
            if self._server.started or not self._thread.is_alive():
                break
            waiting.wait(0.01)
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.should_exit = True
        self._thread.join(STARTS_WITHIN)
        self._pool.shutdown()
        self._socket.close()


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(64)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise CannotListen(
            f"The pages of links in emails cannot be served on {host}:{port}: {error.strerror}. "
            "Name another `host` or `port` in [dashboard]."
        ) from error
    return listener
