"""Stages hand over through the store: cut at any boundary and begun again, the result is the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from analysis.sentiment.scorer import Scorer
from collector.errors import BudgetSpent, NetworkDown, NotAuthorised
from resonance import cycle
from resonance.jobs import BUDGET, Job, recorded, waiting_until
from resonance.pipeline.detectors.silence import silence_signals
from resonance.pipeline.housekeeping import keep_house
from sandbox.faults import Fault
from store import Store
from store.ingest import save_page
from store.records import Observed, Page, iso
from store.stages import newest_change, prune_changes
from tests.resonance.house import BEGIN, House, house

TABLES = {
    "posts": "id, text, author_id, created_at",
    "matches": "topic, post_id, own",
    "sentiments": "post_id, label",
    "topic_hours": "topic, hour_utc, posts, authors, reshares, negative, positive, coverage, complete",
    "topic_bins": "topic, network, bin_utc, posts, scored, negative",
    "interactions": "kind, source_id, subject, via_post_id",
    "cascades": "topic, post_id, size",
    "observations": "topic, network, start_utc, end_utc",
}


def fill(home: House) -> None:
    root = home.post("100", "kopi の限定メニュー、最高", 2)
    for number in range(20):
        home.post(str(101 + number), f"kopi {number} 抹茶もおいしい", 3 + number / 2)
        home.reshare(str(121 + number), root, 4 + number / 3)
    home.post("900", "#kopi ここ好き", 7)


def contents(store: Store) -> dict[str, list[tuple[object, ...]]]:
    return {t: sorted((tuple(r) for r in store.query(f"SELECT {c} FROM {t}")), key=repr) for t, c in TABLES.items()}


def stages(home: House, scorer: Scorer) -> list[Callable[[], object]]:
    found: list[Callable[[], object]] = []
    for source in home.sources:
        found.append(lambda source=source: cycle.collect_job(home.store, home.settings, source, home.now))
        found.append(lambda source=source: cycle.refresh_job(home.store, home.settings, source, home.now))
    found.append(lambda: home.score(scorer))
    found.append(lambda: cycle.alert_job(home.store, home.settings, home.now))
    found.append(lambda: cycle.deliver_job(home.store, home.settings, home.now))
    return found


def test_begun_again_at_every_boundary_the_result_is_the_same(tmp_path: Path, scorer: Scorer) -> None:
    with house(tmp_path) as home:
        fill(home)
        home.now += timedelta(minutes=30)
        for stage in stages(home, scorer):
            stage()
        expected = contents(home.store)
        assert len(expected["posts"]) == 22 and expected["cascades"] and len(expected["interactions"]) == 20
        for cut in range(1, len(stages(home, scorer))):
            home.store.close()
            home.store = Store.open(tmp_path / f"cut-{cut}.sqlite")

            home.configure()
            for stage in stages(home, scorer)[:cut]:
                stage()
            home.store.close()  # the process dies here; another one begins from the start
            home.store = Store.open(tmp_path / f"cut-{cut}.sqlite")
            for stage in stages(home, scorer):
                stage()
            assert contents(home.store) == expected, f"cut behind stage {cut}"


def test_an_outage_leaves_what_was_not_asked_due(home: House) -> None:
    home.post("100", "kopi ひとつ", 1)
    home.step()
    home.now += timedelta(hours=3)
    due = home.store.one("SELECT due_at FROM refresh_requests")
    assert due < iso(home.now)
    home.sandbox.faults.add(Fault("status", server="x", path="/2/tweets*", status=503))
    job = cycle.refresh_job(home.store, home.settings, home.sources[0], home.now)
    assert job.error and job.exit_code == 1
    assert home.store.one("SELECT due_at FROM refresh_requests") == due
    home.sandbox.faults.clear()
    assert cycle.refresh_job(home.store, home.settings, home.sources[0], home.now).error is None
    assert home.store.one("SELECT due_at FROM refresh_requests") > iso(home.now)


def test_a_job_tells_how_it_went(home: House) -> None:
    with recorded(home.store, "collect:x", BEGIN) as job:
        job.result = "all well"
    row = home.store.query("SELECT * FROM jobs WHERE name = 'collect:x'")[0]
    assert (row["result"], row["error"], row["failures"], row["succeeded_at"]) == ("all well", None, 0, iso(BEGIN))
    for failures in (1, 2):
        with recorded(home.store, "collect:x", BEGIN + timedelta(minutes=failures)) as job:
            raise NotAuthorised("x", "no.", "Do this.")
        row = home.store.query("SELECT * FROM jobs WHERE name = 'collect:x'")[0]
        assert (job.exit_code, row["failures"], row["error"], row["succeeded_at"]) == (
            77,
            failures,
            "x: no. Do this.",
            iso(BEGIN),
        )
    with pytest.raises(ZeroDivisionError), recorded(home.store, "score", BEGIN):
        _ = 1 / 0
    assert "a bug" in home.store.one("SELECT error FROM jobs WHERE name = 'score'")


def test_a_rate_limit_is_waited_for_and_not_slept_through(home: House) -> None:
    home.sandbox.faults.add(Fault("rate_limited", server="x", seconds=600))
    home.now += timedelta(minutes=1)
    job = cycle.collect_job(home.store, home.settings, home.sources[0], home.now)
    until = waiting_until(home.store, "collect:x", home.now)
    assert job.waits_for == "the reset of a rate limit" and until is not None
    assert home.now < until <= home.now + timedelta(minutes=11)
    assert waiting_until(home.store, "collect:x", until + timedelta(seconds=1)) is None


@pytest.mark.parametrize(
    ("errors", "code"),
    [((77,), 77), ((77, 77), 77), ((77, 1), 1), ((1,), 1), ((0,), 0)],
)
def test_the_exit_code_of_a_cycle(errors: tuple[int, ...], code: int) -> None:
    jobs = [Job("j", error="e" if e else None, exit_code=e) for e in errors]
    assert cycle.Cycle([*jobs, Job("fine")]).exit_code == code


def read(home: House, hours: float) -> None:
    page = Page(observed=[Observed("kopi", "x", BEGIN - timedelta(hours=hours + 5), BEGIN - timedelta(hours=hours))])
    save_page(home.store, page, home.settings.topics, BEGIN)


def silent(home: House) -> list[str]:
    return [s.subject for s in silence_signals(home.store, home.settings, BEGIN) if s.active]


def test_a_source_that_fails_for_hours_is_told(home: House) -> None:
    read(home, 8)
    with recorded(home.store, "collect:x", BEGIN) as _:
        raise NetworkDown("x", "no answer.")
    assert silent(home) == ["x"]


def test_a_daemon_that_was_off_knows_of_no_silence(home: House) -> None:
    read(home, 8)
    with recorded(home.store, "collect:x", BEGIN - timedelta(hours=8)) as job:
        job.result = "read"
    assert silent(home) == []


def test_a_spent_budget_is_no_silence(home: House) -> None:
    home.post("100", "kopi", 1)
    read(home, 8)
    spent = BudgetSpent("x", "spent.", BEGIN + timedelta(hours=9))
    job = Job("collect:x")
    cycle._tell(job, cycle.Collected(errors=[spent]))
    assert job.waits_for == BUDGET
    with recorded(home.store, "collect:x", BEGIN) as kept:
        kept.error, kept.waits_for, kept.waits_until = job.error, job.waits_for, job.waits_until
    assert silent(home) == []
    assert waiting_until(home.store, "collect:x", BEGIN) is None  # what is free, or a raised budget, is not waited for


def test_pruned_changes_keep_their_numbers(home: House, scorer: Scorer) -> None:
    home.post("100", "kopi", 1)
    home.step(scorer)
    before = newest_change(home.store)
    assert before > 0 and prune_changes(home.store) > 0
    with home.store.write() as connection:
        connection.execute("DELETE FROM changes")
    assert newest_change(home.store) == before
    home.score(scorer)
    marks = home.store.query("SELECT seq FROM marks WHERE stage LIKE 'hours:%' OR stage LIKE 'score:%'")
    assert {r["seq"] for r in marks} == {before}


def test_retention_takes_text_and_author_and_keeps_the_count(home: House, scorer: Scorer) -> None:
    home.post("100", "kopi むかしの話", 1)
    home.step(scorer)
    kept = keep_house(home.store, home.settings, home.now + timedelta(days=401))
    assert kept.posts == 1
    assert home.store.query("SELECT text, author_id, removed_reason FROM posts")[0][:] == ("", None, "retention")
    assert home.store.one("SELECT SUM(posts) FROM topic_hours") == 1
    assert keep_house(home.store, home.settings, home.now + timedelta(days=401)).posts == 0


def test_housekeeping_waits_its_turn_to_write(home: House) -> None:
    """What SQLite counts for its planner is written in a transaction begun as one: among writers it finds no lock."""
    seen: list[bool] = []
    connection = home.store.connection
    connection.set_trace_callback(lambda sql: seen.append(connection.in_transaction) if "optimize" in sql else None)
    keep_house(home.store, home.settings, home.now)
    connection.set_trace_callback(None)
    assert seen and all(seen)
