"""Asking X again: counts over time, edits, removals, who reacted."""

from datetime import UTC, datetime, timedelta

import pytest

from collector.base import Target
from collector.errors import BudgetSpent, NetworkDown
from collector.x.budget import Budget, Spent, cycle, next_day
from config import Settings
from config.settings import XSettings
from resonance.pipeline.refresh import enrol, refresh
from sandbox.faults import Fault
from sandbox.world import Edit, x_id
from store.ingest import save_page
from tests.collector.town import BEGIN, TOPIC, Town, stored


@pytest.fixture
def town():
    return Town("x")


def target(key, minute=0.0, **more):
    return Target(f"x:{key}", key, BEGIN + timedelta(minutes=minute), **more)


def refreshed(source, now, *targets):
    return list(source.refresh(targets, now))


def until_spent(source, now, *targets):
    """The pages until the budget ends."""
    pages = []
    with pytest.raises(BudgetSpent):
        pages.extend(source.refresh(targets, now))
    return pages


def test_pitfall_12_counts_are_appended_and_may_fall(town, tmp_path):
    root = town.post(0)
    town.reshare(1, root, "101")
    with town.x() as (_, source):
        store = stored(tmp_path, source, town.at(5))
        town.world.reshares.clear()
        town.changed()
        for page in refreshed(source, town.at(15), target(root)):
            save_page(store, page, [TOPIC], town.now)
    rows = store.query("SELECT observed_at, reshares FROM metrics ORDER BY observed_at")
    assert [tuple(row) for row in rows] == [("2026-10-05T00:05:00Z", 1), ("2026-10-05T00:15:00Z", 0)]
    store.close()


def test_pitfall_9_an_edit_is_the_same_post_with_a_new_text(town, tmp_path):
    root = town.post(0, "kopi bad")
    with town.x() as (_, source):
        store = stored(tmp_path, source, town.at(5))
        town.world.posts[root].edits.append(Edit(BEGIN + timedelta(minutes=6), "kopi good"))
        town.changed()
        for page in refreshed(source, town.at(10), target(root)):
            assert page.refreshed == [f"x:{root}"] and page.spend.requests == 2  # the old id shows the old version
            save_page(store, page, [TOPIC], town.now)
    rows = store.query("SELECT id, text, edited_at FROM posts")
    assert [tuple(row) for row in rows] == [(f"x:{root}", "kopi good", "2026-10-05T00:06:00Z")]
    assert store.one("SELECT COUNT(*) FROM matches") == 1
    store.close()


def test_pitfall_13_deleted_and_protected_posts_are_removed_and_others_stay(town, tmp_path):
    kept, deleted, hidden = town.post(0), town.post(1, author="101"), town.post(2, author="102")
    with town.x() as (_, source):
        store = stored(tmp_path, source, town.at(5))
        town.world.posts[deleted].deleted_at = town.now
        town.person("102", "u2", protected=True)
        town.changed()
        (page,) = refreshed(source, town.at(10), *map(target, (kept, deleted, hidden)))
        save_page(store, page, [TOPIC], town.now)
    assert {(r.subject_id, r.reason) for r in page.removals} == {
        (f"x:{deleted}", "deleted"),
        (f"x:{hidden}", "protected"),
    }
    assert sorted(page.refreshed) == sorted(f"x:{k}" for k in (kept, deleted, hidden))
    assert [row["id"] for row in store.query("SELECT id FROM posts WHERE text <> ''")] == [f"x:{kept}"]
    store.close()


@pytest.mark.parametrize("status", [500, 503])
def test_pitfall_13_an_outage_removes_nothing(town, status):
    keys = town.posts(range(3))
    with town.x() as (sandbox, source):
        sandbox.faults.add(Fault("status", status=status))
        with pytest.raises(NetworkDown):
            refreshed(source, town.at(10), *map(target, keys))


def test_hundreds_of_posts_are_asked_for_by_the_hundred(town):
    keys = town.posts(range(250))
    with town.x() as (_, source):
        pages = refreshed(source, town.at(260), *map(target, keys))
    assert [len(page.refreshed) for page in pages] == [100, 100, 50]


def test_quotes_and_replies_of_what_moves_are_read(town):
    root = town.post(0)
    reply, deep = town.post(1, "no word", author="101", reply_to=root), None
    deep = town.post(2, "none here either", author="102", reply_to=reply)
    quote = town.post(3, "look", author="103", quote_of=root)
    with town.x() as (_, source):
        pages = refreshed(source, town.at(10), target(root, author_id="x:100", deep=True))
    assert pages[0].refreshed == [] and pages[-1].refreshed == [f"x:{root}"]
    edges = {(i.kind, i.via_post_id, i.target_post_id, i.target_id) for page in pages for i in page.interactions}
    assert edges == {
        ("reply", f"x:{reply}", f"x:{root}", "x:100"),
        ("reply", f"x:{deep}", f"x:{reply}", "x:101"),
        ("quote", f"x:{quote}", f"x:{root}", "x:100"),
    }
    assert {p.conversation_id for page in pages for p in page.posts if p.id == f"x:{deep}"} == {f"x:{root}"}


def test_reactions_to_an_edited_post_aim_at_the_post(town):
    root = town.post(0)
    town.world.posts[root].edits.append(Edit(BEGIN + timedelta(minutes=1), "kopi two"))
    newest = None
    town.reshare(3, root, "101")
    town.post(4, "look", author="103", quote_of=root)
    with town.x() as (_, source):
        (first, *_) = refreshed(source, town.at(10), target(root))
        newest = first.posts[0].native_id
        assert newest != root
        asked = Target(f"x:{root}", newest, BEGIN, "x:100", deep=True)
        pages = refreshed(source, town.now, asked)
    reactions = [i for page in pages for i in page.interactions]
    assert {i.kind for i in reactions} == {"reshare", "quote"}
    assert {i.target_post_id for i in reactions} == {f"x:{root}"}


def test_reshares_known_from_the_last_time_are_not_paged_again(town):
    root = town.post(0)
    for number in range(250):
        town.person(str(1000 + number), f"fan{number}")
        town.reshare(1 + number / 10, root, str(1000 + number))
    with town.x() as (_, source):
        whole = refreshed(source, town.at(40), target(root, deep=True))
        again = refreshed(source, town.at(50), target(root, deep=True, deep_at=town.now))
    assert sum(len(page.interactions) for page in whole) == 250
    assert sum(len(page.interactions) for page in again) == 100


def test_what_the_counts_say_is_not_there_is_not_asked_for(town):
    root = town.post(0)
    with town.x() as (_, source):
        assert len(refreshed(source, town.at(10), target(root, deep=True))) == 1


def test_pitfall_25_reading_again_within_the_utc_day_is_free_and_across_midnight_is_not(town):
    keys = town.posts(range(10))
    with town.x() as (_, source):
        costs = []
        for minute in (20, 60, 24 * 60 + 1, 24 * 60 + 30):
            costs += [page.spend.usd for page in refreshed(source, town.at(minute), *map(target, keys))]
    assert costs == pytest.approx([0.05, 0, 0.05, 0])


def test_pitfall_25_the_cap_holds_in_code(town):
    budget = Budget(XSettings(daily_budget_usd=0.10))
    answer = {"data": [{"id": x_id(BEGIN, n), "text": "kopi"} for n in range(20)]}
    budget.charge(answer, BEGIN)
    assert budget.left(BEGIN) == pytest.approx(0)
    budget.plan(BEGIN, posts=[item["id"] for item in answer["data"]])  # free: read today
    with pytest.raises(Exception, match="budget"):
        budget.plan(BEGIN, posts=["1"])
    budget.plan(next_day(BEGIN), posts=["1"])
    assert budget.page_size(next_day(BEGIN), 3) == 3


def test_when_the_budget_is_spent_what_is_free_goes_on(town):
    keys = town.posts(range(30))
    with town.x(budget=0.10) as (_, source):
        (first,) = until_spent(source, town.at(40), *map(target, keys))
        assert len(first.refreshed) == 20 and source.budget.left(town.now) == pytest.approx(0)
        (again,) = until_spent(source, town.at(50), *map(target, keys[::-1]))
        assert set(again.refreshed) == set(first.refreshed) and again.spend.usd == 0
        assert until_spent(source, town.at(60), *map(target, keys[25:])) == []


@pytest.mark.parametrize(
    ("setting", "limit"),
    [
        ("daily_posts", 12),
        ("daily_requests", 1),
        ("cycle_budget_usd", 0.06),
        ("cycle_posts", 12),
        ("cycle_requests", 1),
    ],
)
def test_posts_and_requests_of_day_and_cycle_are_capped_before_they_are_spent(town, setting, limit):
    keys = town.posts(range(30))
    spent = {"day": Spent(), "cycle": Spent()}

    def table(network, day):
        return spent["day" if day == town.now.date().isoformat() else "cycle"]

    with town.x(spent=table, **{setting: limit}) as (_, source):
        asked = keys[:12] if "requests" in setting else keys[:20]
        ask = refreshed if "requests" in setting else until_spent
        assert sum(len(page.refreshed) for page in ask(source, town.at(40), *map(target, asked))) == 12
        with pytest.raises(BudgetSpent, match="billing cycle" if "cycle" in setting else "UTC day") as told:
            source.budget.page_size(town.now)
        assert f"x.{setting}" in told.value.remedy
        assert told.value.until == (cycle(town.now, 1)[1] if "cycle" in setting else next_day(town.now))


def test_what_the_cycle_has_cost_before_counts(town):
    town.posts(range(30))
    before = Spent(requests=9, posts=2_999_990, usd=15_000.0)
    with town.x(spent=lambda _, day: before if day == "2026-10-01" else Spent()) as (_, source):
        with pytest.raises(BudgetSpent, match="3,000,000 posts for this billing cycle"):
            source.budget.page_size(town.at(40))
        source.budget.plan(town.now, posts=map(str, range(10)))
        with pytest.raises(BudgetSpent):
            source.budget.plan(town.now, posts=map(str, range(11)))


@pytest.mark.parametrize(
    ("now", "day", "begins", "ends"),
    [
        ("2026-11-20T09:00", 1, "2026-11-01", "2026-12-01"),
        ("2026-12-31T23:59", 15, "2026-12-15", "2027-01-15"),
        ("2027-01-03T00:00", 15, "2026-12-15", "2027-01-15"),
        ("2027-03-01T00:00", 28, "2027-02-28", "2027-03-28"),
        ("2026-11-15T00:00", 15, "2026-11-15", "2026-12-15"),
    ],
)
def test_the_cycle_begins_on_its_day_of_the_month(now, day, begins, ends):
    found = cycle(datetime.fromisoformat(now).replace(tzinfo=UTC), day)
    assert [moment.isoformat()[:16] for moment in found] == [f"{begins}T00:00", f"{ends}T00:00"]


def test_without_prices_nothing_is_capped():
    free = XSettings(daily_budget_usd=0, price_post_usd=0, price_user_usd=0)
    assert Budget(free).page_size(BEGIN) == 100


def test_what_could_not_be_paid_for_stays_due_and_what_is_free_is_asked_again(town, tmp_path):
    keys = town.posts(range(30))
    settings = Settings(topics=(TOPIC,))
    with town.x() as (_, source):
        store = stored(tmp_path, source, town.at(40))
        enrol(store, settings, town.now)
        source.budget = source.client.budget = Budget(XSettings(daily_budget_usd=0.10))
        first = refresh(store, settings, source, town.at(50))
        (error,) = first.errors
        assert isinstance(error, BudgetSpent) and store.one("SELECT COUNT(refreshed_at) FROM refresh_requests") == 20
        due = "SELECT COUNT(*) FROM refresh_requests WHERE due_at <= '2026-10-05T00:50:00Z'"
        assert store.one(due) == len(keys) - 20
        again = refresh(store, settings, source, town.at(90))
        assert again.pages >= 1 and isinstance(again.errors[0], BudgetSpent)
        assert store.one("SELECT COUNT(*) FROM refresh_requests WHERE refreshed_at LIKE '%T01:30%'") == 20
        store.close()
