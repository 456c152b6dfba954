"""The pages of links over HTTP: only a press counts, nothing of them is kept, framed, found or sent elsewhere."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.answers import links
from alerts.answers.key import key_file, key_of
from alerts.incidents import apply
from alerts.read import incident
from config import Settings
from resonance.answering import LARGEST_FORM, AnswerServer, CannotListen
from resonance.commands.check import _pages
from store import Store
from tests.alerts.alert_cases import NOW, settings_of, surge
from tests.commands.cli import process
from tests.resonance.house import House
from tests.resonance.test_daemon import FAST, ROOT, until

LATER = NOW + timedelta(minutes=5)


@dataclass
class Reply:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str]


def ask(url: str, form: dict[str, str] | bytes | None = None, method: str | None = None, **headers: str) -> Reply:
    data = urllib.parse.urlencode(form).encode() if isinstance(form, dict) else form
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, named, method=method), timeout=20) as answer:
            return Reply(answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.headers.items()})
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read().decode(), {k.lower(): v for k, v in error.headers.items()})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path / "r.sqlite", busy_seconds=0.2)
    yield found
    found.close()


@pytest.fixture
def settings(store: Store) -> Settings:
    config = settings_of(extra='[dashboard]\nbase_url = "https://r.example/pages"\n')
    settings = config.model_copy(update={"database": store.path})
    apply(store, settings, [surge()], NOW)
    return settings


@pytest.fixture
def base(store: Store, settings: Settings) -> Iterator[str]:
    with AnswerServer(store, settings, lambda: LATER, port=0) as server:
        yield f"{server.url}/answer/"


def token(store: Store, settings: Settings, days: float = 14) -> str:
    ends = NOW + timedelta(days=days)
    return links.token(key_of(settings), incident(store, 1), "false_alarm", "mail", ends)


def form_of(page: Reply) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found
    return found[1]


def words(store: Store) -> list[tuple[str, str]]:
    return [tuple(row) for row in store.query("SELECT verdict, by FROM feedback ORDER BY id")]


def test_scanners_that_open_links_answer_nothing(store: Store, settings: Settings, base: str) -> None:
    url = base + token(store, settings)
    for _ in range(3):
        assert ask(url).status == 200
    head = ask(url, method="HEAD")
    assert (head.status, head.text) == (200, "")
    assert ask(url, b"").status == 403, "a blind POST has no form of ours"
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        assert ask(url, b"x", method=method).status == 404
    assert words(store) == [] and incident(store, 1).state == "open"


def test_a_press_counts_once_even_when_it_arrives_many_times_at_once(
    store: Store, settings: Settings, base: str
) -> None:
    url = base + token(store, settings)
    form = {"form": form_of(ask(url)), "verb": "false_alarm", "by": "花子"}
    threads = [threading.Thread(target=ask, args=(url, form)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words(store) == [("false_alarm", "花子")]
    assert store.one("SELECT COUNT(*) FROM threshold_changes") == 1
    second = ask(url, form | {"by": "太郎"})
    assert words(store)[-1] == ("false_alarm", "太郎") and "基準は変わっていません" in second.text
    ask(url, form | {"verb": "helpful"})
    assert words(store)[-1] == ("helpful", "花子")


def test_every_answer_is_kept_by_nobody_framed_by_nobody_and_found_by_nobody(
    store: Store, settings: Settings, base: str
) -> None:
    replies = [ask(base + token(store, settings)), ask(base + token(store, settings, -1)), ask(base + "x"),
               ask(base), ask(base.replace("/answer/", "/robots.txt"))]  # fmt: skip
    assert [reply.status for reply in replies] == [200, 410, 403, 404, 200]
    for reply in replies:
        told = reply.headers
        assert told["cache-control"] == "no-store" and told["referrer-policy"] == "no-referrer"
        assert told["x-frame-options"] == "DENY" and "noindex" in told["x-robots-tag"]
        assert told["x-content-type-options"] == "nosniff" and "set-cookie" not in told and "server" not in told
        rules = told["content-security-policy"]
        assert "default-src 'none'" in rules and "frame-ancestors 'none'" in rules and "form-action 'self'" in rules
    assert "Disallow: /" in replies[-1].text


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({"Sec_Fetch_Site": "same-origin", "Origin": "null"}, True),
        ({"Origin": "https://r.example"}, True),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Origin": "https://evil.example"}, False),
    ],
)
def test_a_form_that_another_site_sends_does_not_count(
    store: Store, settings: Settings, base: str, headers: dict[str, str], counts: bool
) -> None:
    url = base + token(store, settings)
    reply = ask(url, {"form": form_of(ask(url)), "verb": "helpful"}, **headers)
    assert (reply.status == 200) is counts and (words(store) != []) is counts


def test_a_proxy_may_pass_the_path_on_or_take_it_away(store: Store, settings: Settings, base: str) -> None:
    text = token(store, settings)
    for url in (base + text, base.replace("/answer/", "/pages/answer/") + text):
        assert form_of(ask(url))
    assert ask(base.replace("/answer/", "/other/answer/") + text).status == 404


@pytest.mark.parametrize(
    "body", [b"x" * (LARGEST_FORM + 1), b"\xff\xfe", b"&" * 50, b"a=1&" * 50, b"verb=helpful&form=%00", b"form=" * 20]
)
def test_rubbish_is_asked_again(store: Store, settings: Settings, base: str, body: bytes) -> None:
    assert ask(base + token(store, settings), body).status == 403
    assert words(store) == []


@pytest.mark.parametrize("path", ["%00", "..%2f..%2fetc", "1.1.aaaaaaaa.helpful.1.mail." + "0" * 32, "x" * 5000, "%ff"])
def test_rubbish_for_a_link_is_refused_in_the_readers_language(store: Store, base: str, path: str) -> None:
    reply = ask(base + path, Accept_Language="en-US,en;q=0.9,ja;q=0.8")
    assert reply.status in (403, 404) and '<html lang="en">' in reply.text


def test_a_database_that_is_held_says_try_again_and_loses_nothing(store: Store, settings: Settings, base: str) -> None:
    url = base + token(store, settings)
    form = {"form": form_of(ask(url)), "verb": "helpful"}
    other = Store.open(store.path)
    with other.write():
        held = ask(url, form, Accept_Language="en")
        assert held.status == 503 and "try again" in held.text
    other.close()
    assert ask(url, form).status == 200 and len(words(store)) == 1


def test_a_port_that_is_taken_is_said(store: Store, settings: Settings) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(CannotListen, match=r"\[dashboard\]"):
            AnswerServer(store, settings, lambda: NOW, port=holder.getsockname()[1])
    with pytest.raises(CannotListen, match="host"):
        AnswerServer(store, settings, lambda: NOW, host="no-such-host.invalid", port=0)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_daemon_serves_them_while_it_runs_and_tells_no_token(home: House) -> None:
    from datetime import UTC, datetime

    home.now = datetime.now(UTC)
    port = free_port()
    path = home.write_config(extra=f'{FAST}\n[dashboard]\nbase_url = "http://127.0.0.1:{port}"\nport = {port}\n')
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    found = process("run", "--config", path, env=environment)
    base = f"http://127.0.0.1:{port}/answer/"
    try:
        until(lambda: _answers(base), 200)
        assert ask(base + "1.secret").status == 403
        found.send_signal(signal.SIGTERM)
        out, err = found.communicate(timeout=60)
    finally:
        if found.poll() is None:
            found.kill()
            found.communicate()
    assert found.returncode == 0 and "secret" not in out + err
    assert key_file(home.settings).exists()
    with pytest.raises(OSError):
        ask(base)


def _answers(base: str) -> bool:
    try:
        return ask(base).status == 404
    except OSError:
        return False


def test_the_command_opens_the_pages_of_one_incident(store: Store, settings: Settings) -> None:
    found = process("alerts", "answers", "1", "--db", store.path)
    assert found.stdout is not None
    try:
        urls = [found.stdout.readline().strip() for _ in links.VERBS]
        page = ask(urls[1])
        assert ask(urls[1], {"form": form_of(page), "verb": "helpful"}).status == 200
        found.send_signal(signal.SIGINT)
        _, err = found.communicate(timeout=60)
    finally:
        if found.poll() is None:
            found.kill()
            found.communicate()
    assert words(store) == [("helpful", "email")] and "Traceback" not in err


@pytest.mark.parametrize(
    ("url", "told"),
    [("https://r.example", ""), ("http://127.0.0.1:9465", ""), ("http://r.example", "not encrypted")],
)
def test_check_says_where_the_pages_are_and_what_is_missing(settings: Settings, url: str, told: str) -> None:
    place = settings.model_copy(update={"dashboard": settings.dashboard.model_copy(update={"base_url": url})})
    (found,) = _pages(place)
    assert found.ok and url in found.told and told in found.remedy and bool(found.remedy) == bool(told)
    key_file(settings).chmod(0o644)
    (found,) = _pages(place)
    assert not found.ok and found.exit_code == 78 and "chmod 600" in found.told
    nowhere = settings.dashboard.model_copy(update={"base_url": ""})
    assert list(_pages(settings.model_copy(update={"dashboard": nowhere}))) == []
