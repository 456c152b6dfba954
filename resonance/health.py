"""Health over HTTP on loopback: `/healthz` for a watchdog, `/metrics` for Prometheus, read from the store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from config import Settings
from resonance.errors import UserError
from store import Store, StoreError
from store.records import from_iso, iso

HOST = "127.0.0.1"
FAILURES = 3  # in a row: something is wrong
LATE = 3  # intervals of collection without a success of any source: nothing is read
SLACK = timedelta(minutes=5)
STATES = ("queued", "sending", "sent", "failed", "maybe_sent", "rolled_up")
Clock = Callable[[], datetime]


class PortTaken(UserError):
    """Another program listens on the port."""


def wrong(store: Store, settings: Settings, now: datetime) -> list[str]:
    """What is wrong, one sentence each; empty: all is well. What waits for a rate limit or a budget is not wrong."""
    found = [
        f"{row['name']} failed {row['failures']} times in a row: {row['error']}"
        for row in store.query("SELECT name, failures, error FROM jobs WHERE failures >= ? "
                               "AND (waits_until IS NULL OR waits_until <= ?) ORDER BY name",
                               (FAILURES, iso(now)))
    ]  # fmt: skip
    last = store.query("SELECT MAX(succeeded_at) AS at, MIN(started_at) AS began FROM jobs WHERE name LIKE 'collect:%'")
    patience = LATE * timedelta(minutes=settings.schedule.collect) + SLACK
    if last[0]["began"] is not None:
        since = from_iso(last[0]["at"] or last[0]["began"])
        waits = store.one("SELECT 1 FROM jobs WHERE name LIKE 'collect:%' AND waits_until > ? LIMIT 1",
                          (iso(now),))  # fmt: skip
        if now - since > patience and not waits:
            found.append(f"Nothing has been read since {since:%Y-%m-%d %H:%M} UTC. `resonance status` says why.")
    return found


class StoreMetrics(Collector):
    """The figures of the store, read at each scrape; names are listed in docs/operations.md."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """`clock` tells the present moment."""
        self.store, self.clock = store, clock

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing before the first scrape: registering must not read the store."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every figure."""
        newest = self.store.one("SELECT MAX(pk) FROM posts") or 0
        yield GaugeMetricFamily("resonance_posts", "Posts ever stored.", newest)
        waiting = self.store.one(
            "SELECT COUNT(DISTINCT subject) FROM changes WHERE kind = 'post' AND seq > "
            "COALESCE((SELECT MAX(seq) FROM marks WHERE stage LIKE 'score:%'), 0)"
        )
        yield GaugeMetricFamily("resonance_posts_unscored", "Posts that wait to be scored.", waiting)
        yield from self._jobs()
        yield self._by("resonance_gaps", "Periods known to be missing.", "source",
                       "SELECT source, COUNT(*) FROM gaps GROUP BY source")  # fmt: skip
        yield self._by("resonance_spend_usd_today", "Spent in this UTC day.", "network",
                       "SELECT network, usd FROM spend WHERE day_utc = ?",
                       (self.clock().strftime("%Y-%m-%d"),))  # fmt: skip
        counts = dict.fromkeys(STATES, 0) | dict(
            tuple(row) for row in self.store.query("SELECT state, COUNT(*) FROM deliveries GROUP BY state")
        )
        yield _family("resonance_deliveries", "Deliveries by state.", "state", counts)
        still = self.store.one("SELECT COUNT(*) FROM v_incidents_open")
        yield GaugeMetricFamily("resonance_incidents_open", "Incidents that go on.", still)

    def _jobs(self) -> Iterator[GaugeMetricFamily]:
        rows, now = self.store.query("SELECT name, succeeded_at, failures FROM jobs ORDER BY name"), self.clock()
        ages = {r["name"]: (now - from_iso(r["succeeded_at"])).total_seconds() for r in rows if r["succeeded_at"]}
        yield _family("resonance_job_age_seconds", "Time since a job's last success.", "job", ages)
        failures = {r["name"]: r["failures"] for r in rows}
        yield _family("resonance_job_failures", "Failures of a job in a row.", "job", failures)

    def _by(self, name: str, told: str, label: str, sql: str, parameters: tuple[str, ...] = ()) -> GaugeMetricFamily:
        return _family(name, told, label, dict(tuple(row) for row in self.store.query(sql, parameters)))


def _family(name: str, told: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


class HealthServer:
    """Serves on loopback, in a thread of its own; a context manager. Port 0 takes a free one.

    One request at a time: whoever asks too often waits, and the daemon's work does not.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock, port: int) -> None:
        """Nothing is answered before `__enter__`. Raises PortTaken."""
        registry = CollectorRegistry()
        registry.register(StoreMetrics(store, clock))
        try:
            self._server = HTTPServer((HOST, port), _handler(store, settings, clock, registry))
        except OSError as error:
            raise PortTaken(
                f"Health cannot be served on {HOST}:{port}: {error.strerror}. "
                "Name another `port` in [health], or 0 for none."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="health", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> HealthServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(
    store: Store, settings: Settings, clock: Clock, registry: CollectorRegistry
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Two addresses, GET only."""

        timeout = 5

        def do_GET(self) -> None:
            """Answer `/healthz` or `/metrics`."""
            try:
                status, kind, body = self._answer(self.path.partition("?")[0])
                store.shrink()
            except StoreError as error:
                status, kind, body = 503, "application/json", _told([str(error)])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _answer(self, path: str) -> tuple[int, str, bytes]:
            if path == "/healthz":
                found = wrong(store, settings, clock())
                return 503 if found else 200, "application/json", _told(found)
            if path == "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
            return 404, "text/plain; charset=utf-8", b"/healthz and /metrics are here.\n"

        def log_message(self, *_: object) -> None:
            """A scrape is no news."""

    return Handler


def _told(found: list[str]) -> bytes:
    return json.dumps({"ok": not found, "wrong": found}, ensure_ascii=False).encode()
