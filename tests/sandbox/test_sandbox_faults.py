"""What goes wrong when the plan says so, as tweepy, Mastodon.py and requests see it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
import tweepy
from mastodon.errors import MastodonAPIError, MastodonGatewayTimeoutError, MastodonNotFoundError, MastodonRatelimitError

from sandbox.faults import Fault, FaultPlan
from sandbox.limits import RateLimiter
from sandbox.network import Sandbox
from tests.sandbox.sandbox_tools import START, Builder, Clock, at, mastodon_client, x_client


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    build = Builder()
    build.person("1")
    build.person("2", "mastodon", handle="writer")
    build.post("1", "hello #tea", at(hours=-1))
    build.post("2", "hello #tea", at(hours=-1))
    with Sandbox(build.world, Clock()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.faults.clear()


def plain(sandbox: Sandbox, path: str = "/api/v1/timelines/public", timeout: float = 5) -> requests.Response:
    return requests.get(sandbox.mastodon_url + path, timeout=timeout)


def test_a_fault_acts_as_often_as_it_says_and_only_on_its_path(sandbox: Sandbox) -> None:
    fault = sandbox.faults.add(Fault("status", status=503, path="/api/v1/timelines/*", after=1, times=2))
    assert [plain(sandbox).status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert plain(sandbox, "/api/v1/accounts/2").status_code == 200
    assert (fault.seen, fault.hits) == (5, 2)
    assert [kind for _, _, kind in sandbox.faults.log[-2:]] == ["status", "status"]


def test_the_first_fault_that_is_not_spent_acts(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("status", status=500, times=1))
    sandbox.faults.add(Fault("status", status=502, times=2))
    assert [plain(sandbox).status_code for _ in range(4)] == [500, 502, 502, 200]


def test_a_fault_lasts_from_its_beginning_to_its_end(sandbox: Sandbox) -> None:
    plan = FaultPlan(Fault("status", begins=at(hours=1), ends=at(hours=2)))
    found = [plan.pick("x", "GET", "/2/users", at(minutes=minutes)) for minutes in (59, 60, 119, 120)]
    assert [fault is not None for fault in found] == [False, True, True, False]


def test_rate_limited_with_a_reset(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("rate_limited", seconds=120, times=2))
    with pytest.raises(tweepy.TooManyRequests) as refused:
        x_client(sandbox.x_url).get_user(id="1")
    assert int(refused.value.response.headers["x-rate-limit-reset"]) == int(START.timestamp()) + 120
    with pytest.raises(MastodonRatelimitError):
        mastodon_client(sandbox.mastodon_url).account("2")


def test_rate_limited_without_a_reset_and_usage_capped(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("rate_limited_without_reset", times=1))
    sandbox.faults.add(Fault("usage_capped", times=1))
    client = x_client(sandbox.x_url)
    with pytest.raises(tweepy.TooManyRequests) as bare:
        client.get_user(id="1")
    with pytest.raises(tweepy.TooManyRequests) as capped:
        client.get_user(id="1")
    assert not [name for name in bare.value.response.headers if name.startswith("x-rate-limit")]
    assert capped.value.response.json()["type"].endswith("usage-capped")


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, tweepy.Unauthorized), (403, tweepy.Forbidden), (404, tweepy.NotFound), (503, tweepy.TwitterServerError)],
)
def test_error_statuses_are_those_tweepy_knows(sandbox: Sandbox, status: int, error: type[Exception]) -> None:
    sandbox.faults.add(Fault("status", status=status, server="x"))
    with pytest.raises(error):
        x_client(sandbox.x_url).get_user(id="1")
    assert plain(sandbox).status_code == 200


@pytest.mark.parametrize(
    ("status", "error"), [(404, MastodonNotFoundError), (410, MastodonAPIError), (504, MastodonGatewayTimeoutError)]
)
def test_error_statuses_are_those_mastodon_py_knows(sandbox: Sandbox, status: int, error: type[Exception]) -> None:
    sandbox.faults.add(Fault("status", status=status, server="mastodon:*"))
    with pytest.raises(error):
        mastodon_client(sandbox.mastodon_url).account("2")


def test_cut_midway_and_before_the_answer(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.faults.add(Fault("cut", times=1))
    sandbox.faults.add(Fault("disconnect", times=1))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        plain(sandbox)
    with pytest.raises(requests.exceptions.ConnectionError):
        plain(sandbox)
    assert plain(sandbox).json()
    assert caplog.records == []


def test_a_hanging_server_meets_the_clients_timeout(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("hang", seconds=30, times=1))
    with pytest.raises(requests.exceptions.ReadTimeout):
        plain(sandbox, timeout=0.1)
    sandbox.faults.add(Fault("slow", seconds=0.05, times=1))
    assert plain(sandbox).status_code == 200


def test_stopping_does_not_wait_for_what_hangs() -> None:
    plan = FaultPlan(Fault("hang", seconds=600))
    with Sandbox(Builder().world, Clock(), x=False, faults=plan) as sandbox:
        caught: list[Exception] = []

        def ask() -> None:
            try:
                plain(sandbox, timeout=60)
            except requests.exceptions.RequestException as error:
                caught.append(error)

        waiting = threading.Thread(target=ask)
        waiting.start()
        while not plan.log:
            waiting.join(0.01)
    waiting.join(30)
    assert not waiting.is_alive()
    assert len(caught) == 1


def test_bodies_that_are_not_what_they_should_be(sandbox: Sandbox) -> None:
    for kind in ("truncated", "malformed"):
        sandbox.faults.add(Fault(kind, times=2))  # type: ignore[arg-type]
        answer = plain(sandbox)
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()
        with pytest.raises(MastodonAPIError):
            mastodon_client(sandbox.mastodon_url).account("2")
    sandbox.faults.add(Fault("wrong_json", times=1))
    assert plain(sandbox).json() == {"unexpected": [1]}


def test_own_body_and_headers(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("status", status=429, headers={"X-RateLimit-Reset": "soon"}, body="not \ud800 json"))
    answer = plain(sandbox)
    assert (answer.status_code, answer.headers["x-ratelimit-reset"]) == (429, "soon")
    assert answer.content.startswith(b"not ")


def test_a_skewed_clock_moves_date_and_reset(sandbox: Sandbox) -> None:
    sandbox.faults.skew_clock(timedelta(hours=2), server="x")
    answer = requests.get(f"{sandbox.x_url}/2/users/1", headers={"Authorization": "Bearer sandbox-x-token"}, timeout=5)
    assert answer.headers["date"] == "Mon, 12 Oct 2026 14:00:00 GMT"
    assert int(answer.headers["x-rate-limit-reset"]) > int(START.timestamp()) + 7200
    assert plain(sandbox).headers["date"] == "Mon, 12 Oct 2026 12:00:00 GMT"


def test_counting_is_right_with_many_threads() -> None:
    plan = FaultPlan(Fault("status", times=50))
    hits: list[bool] = []

    def work() -> None:
        hits.extend(plan.pick("x", "GET", "/", START) is not None for _ in range(40))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(hits), sum(hits)) == (320, 50)


def test_windows_of_the_rate_limiter() -> None:
    sliding, aligned = RateLimiter(900), RateLimiter(300, aligned=True)
    moment = at(minutes=7)
    assert sliding.take("a", 1, moment).reset == at(minutes=22)
    assert aligned.take("a", 1, moment).reset == at(minutes=10)
    assert sliding.take("a", 1, moment).remaining == -1
    assert sliding.take("b", 1, moment).remaining == 0
    assert sliding.take("a", 1, at(minutes=22)).remaining == 0
