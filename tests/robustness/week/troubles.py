"""What goes wrong, one thing after the other, on a schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.faults import Fault, FaultPlan

ONE = "mastodon:one.sandbox"
CAPPED = 22.5  # hour UTC: what X says then holds until midnight


@dataclass
class Trouble:
    """One line of the table."""

    told: str
    begins: datetime
    faults: list[Fault] = field(default_factory=list)
    network: str = "x"
    act: Callable[[FaultPlan], None] | None = None
    first: datetime | None = None
    last: datetime | None = None
    """When it was met; seen from outside, so a little late."""
    over: datetime | None = None
    """When the jobs that met it had nothing to complain of any more."""
    errors: dict[str, None] = field(default_factory=dict)
    met: int = 0

    @property
    def hits(self) -> int:
        return sum(fault.hits for fault in self.faults)

    def look(self, now: datetime, plan: FaultPlan, errors: Callable[[str], list[str]]) -> None:
        """Note what has happened since the last look."""
        if self.act and self.begins <= now:
            self.act(plan)
            self.act = None
        if self.hits > self.met:
            self.first, self.last, self.met, self.over = self.first or now, now, self.hits, None
        if self.first and self.over is None:
            said = errors(self.network)
            self.errors.update(dict.fromkeys(said))
            self.over = None if said else now


_KINDS = (
    ("429 with a reset", "rate_limited"),
    ("429 without a reset", "rate_limited_without_reset"),
    ("503", "status"),
    ("no answer until the timeout", "hang"),
    ("cut before the answer", "disconnect"),
    ("cut in the middle of a body", "cut"),
    ("a body that ends midway", "truncated"),
    ("HTML instead of JSON", "malformed"),
    ("JSON of another shape", "wrong_json"),
    ("401", "refused"),
    ("404 for everything", "missing"),
)


def schedule(begins: datetime, length: timedelta, times: int) -> list[Trouble]:
    """Every kind of fault on both networks, evenly over `length`; each acts `times` times from its moment on."""
    found: list[Trouble] = []
    for network, server in (("x", "x"), ("mastodon", "mastodon*")):
        for told, kind in _KINDS:
            found.append(Trouble(f"{_name(network)}: {told}", begins, [_fault(kind, server, times)], network))
    found = [trouble for pair in zip(found[: len(_KINDS)], found[len(_KINDS) :], strict=True) for trouble in pair]
    outage = [Fault("status", status=502, server=server, times=8 * times) for server in ("x", "mastodon*")]
    alone = [Fault("disconnect", server=ONE, times=8 * times)]
    found += [
        Trouble("Mastodon: one of two servers is down", begins, alone, "mastodon"),
        Trouble("both networks are down", begins, outage),
        Trouble("X: its clock is 47 min ahead, then 429", begins, [Fault("rate_limited", server="x", times=times)],
                act=lambda plan: plan.skew_clock(timedelta(minutes=47), "x")),
        Trouble("Mastodon: its clock is 26 h behind, then 429", begins,
                [Fault("rate_limited", server="mastodon*", times=times)], "mastodon",
                act=lambda plan: plan.skew_clock(-timedelta(hours=26), "mastodon*")),
    ]  # fmt: skip
    slot = 0.9 * length / len(found)
    for number, trouble in enumerate(found):
        _at(trouble, begins + 0.03 * length + number * slot)
    capped = Trouble("X: usage capped", begins, [Fault("usage_capped", server="x", times=1)])
    at = begins + 0.5 * length
    _at(capped, at.replace(hour=0, minute=0) + timedelta(hours=CAPPED))
    if length >= timedelta(days=5):
        at = begins + 0.935 * length
        found.append(
            Trouble(
                "X: 503 for nine hours", at, [Fault("status", status=503, server="x", ends=at + timedelta(hours=9))]
            )
        )
        _at(found[-1], at)
    channels = [
        Trouble("Slack: 500", begins, [Fault("status", server="slack", times=1)], "team"),
        Trouble(
            "Slack: 429 with Retry-After", begins, [Fault("rate_limited", server="slack", seconds=120, times=1)], "team"
        ),
        Trouble("Slack: no answer until the timeout", begins, [Fault("hang", server="slack", times=1)], "team"),
        Trouble("Slack: cut in the middle of the answer", begins, [Fault("cut", server="slack", times=1)], "team"),
    ]
    for trouble in channels:
        _at(trouble, begins)
    return sorted([*found, capped, *channels], key=lambda trouble: trouble.begins)


def _name(network: str) -> str:
    return "X" if network == "x" else "Mastodon"


def _fault(kind: str, server: str, times: int) -> Fault:
    status = {"refused": 401, "missing": 404}.get(kind, 503)
    return Fault("status" if kind in ("refused", "missing") else kind, server=server, status=status, times=times)  # type: ignore[arg-type]


def _at(trouble: Trouble, begins: datetime) -> None:
    trouble.begins = begins
    for fault in trouble.faults:
        fault.begins = begins
