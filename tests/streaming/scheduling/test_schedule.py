"""The order of things, on a simulated machine."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.scheduling.schedule import NEVER, Schedule, Task, Tenant
from tests.streaming.scheduling.simulation import Machine, SimStream, SimTask

TENANT = Tenant("a")


def task(deadline_s: float, *, started: bool = True, company: str | None = None, **fields: object) -> Task:
    values = {"tenant": TENANT, **fields}
    made = Task(deadline_s, **values)  # type: ignore[arg-type]
    made.started, made.company, made.max_company = started, company, 4
    return made


def scheduled(*tasks: Task) -> Schedule[Task]:
    schedule: Schedule[Task] = Schedule()
    for each in tasks:
        schedule.add(each)
    return schedule


# -- one at a time ---------------------------------------------------------------------------


def test_what_is_due_is_taken_by_deadline_and_equal_ones_in_order_of_arrival():
    late, first, second, early = task(3.0), task(2.0), task(2.0), task(1.0)
    schedule = scheduled(late, first, second, early)
    assert [schedule.take_due(10.0) for _ in range(5)] == [[early], [first], [second], [late], []]


def test_what_has_time_is_not_due_and_taken_only_as_ahead():
    soon, later = task(5.0), task(9.0)
    schedule = scheduled(later, soon)
    assert schedule.take_due(4.9) == []
    assert schedule.take_ahead(4.9) == [soon]
    assert schedule.take_due(9.0) == [later]


def test_a_stream_that_is_far_ahead_rests_until_its_release():
    resting = task(9.0, started=False, release_s=5.0)
    schedule = scheduled(resting)
    assert schedule.n_waiting == 1
    assert schedule.next_release_s() == 5.0
    assert schedule.take_ahead(4.9) == []
    assert schedule.take_ahead(5.0) == [resting]


def test_a_block_that_has_begun_does_not_rest():
    begun = task(9.0, release_s=5.0)
    assert scheduled(begun).take_ahead(0.0) == [begun]


def test_idle_work_runs_when_nothing_else_wants_to():
    idle, other = task(0.0, idle=True), task(50.0)
    schedule = scheduled(idle, other)
    assert schedule.take_due(10.0) == []
    assert schedule.take_ahead(10.0) == [other]
    assert schedule.take_ahead(10.0) == [idle]


def test_what_is_dropped_is_never_taken_and_not_counted():
    kept, dropped = task(2.0), task(1.0)
    schedule = scheduled(kept, dropped)
    schedule.drop(dropped)
    schedule.drop(dropped)
    assert (schedule.n_waiting, dropped.is_waiting) == (1, False)
    assert schedule.take_due(9.0) == [kept]
    schedule.drop(kept)  # it does not wait any more
    assert schedule.n_waiting == 0


def test_what_is_dropped_leaves_nothing_behind():
    schedule: Schedule[Task] = Schedule()
    for number in range(2000):
        each = task(float(number), company="c")
        schedule.add(each)
        schedule.drop(each)
    assert schedule._n_entries <= 64  # nothing public tells; the bound is the point


def test_times_at_which_something_changes_by_itself():
    schedule = scheduled(task(7.0), task(9.0, started=False, release_s=3.0))
    assert (schedule.next_due_s(), schedule.next_release_s()) == (7.0, 3.0)
    assert (scheduled().next_due_s(), scheduled().next_release_s()) == (NEVER, NEVER)


# -- company ---------------------------------------------------------------------------------


def test_calls_of_the_same_kind_run_together_in_the_order_of_their_deadlines():
    a, b, c, other = (
        task(1.0, company="x"),
        task(2.0, company="x"),
        task(3.0, company="x"),
        task(1.5, company="y"),
    )
    schedule = scheduled(c, other, b, a)
    assert schedule.take_due(9.0) == [a, b, c]
    assert schedule.take_due(9.0) == [other]


def test_company_is_limited():
    tasks = [task(float(number), company="x") for number in range(6)]
    schedule = scheduled(*tasks)
    assert [len(schedule.take_due(9.0)) for _ in range(2)] == [4, 2]


def test_what_is_due_is_not_slowed_down_for_what_has_time():
    due, ahead = task(1.0, company="x"), task(5.0, company="x")
    schedule = scheduled(due, ahead)
    assert schedule.take_due(2.0) == [due]
    assert schedule.take_ahead(2.0) == [ahead]


def test_what_has_not_begun_is_begun_first_since_it_may_be_company():
    begun = task(1.0, company="x")
    fresh = [task(2.0, started=False), task(3.0, started=False)]
    schedule = scheduled(begun, *fresh)
    assert schedule.take_due(9.0) == fresh
    for each in fresh:
        each.started, each.company, each.max_company = True, "x", 4
        schedule.add(each)
    assert schedule.take_due(9.0) == [begun, *fresh]


# -- fair shares -----------------------------------------------------------------------------


def test_among_what_is_due_the_tenant_comes_first_that_had_least():
    light, heavy = Tenant("light"), Tenant("heavy", weight=2.0)
    schedule: Schedule[Task] = Schedule()
    order = []
    waiting = {tenant: [task(0.0, tenant=tenant) for _ in range(30)] for tenant in (light, heavy)}
    for tasks in waiting.values():
        for each in tasks:
            schedule.add(each)
    for _ in range(30):
        (taken,) = schedule.take_due(1.0)
        order.append(taken.tenant.name)
        schedule.charge(taken, 0.01, 1.0)
    assert order.count("heavy") == 20


def test_a_tenant_that_was_away_has_not_saved_up():
    here, away = Tenant("here"), Tenant("away")
    schedule: Schedule[Task] = Schedule()
    for _ in range(100):
        schedule.add(task(0.0, tenant=here))
        (taken,) = schedule.take_due(1.0)
        schedule.charge(taken, 0.01, 1.0)
    for tenant in (here, away):
        for _ in range(20):
            schedule.add(task(0.0, tenant=tenant))
    order = []
    for _ in range(20):
        (taken,) = schedule.take_due(1.0)
        order.append(taken.tenant.name)
        schedule.charge(taken, 0.01, 1.0)
    assert 9 <= order.count("away") <= 11


def test_work_ahead_of_its_time_is_not_held_against_anybody():
    schedule: Schedule[Task] = Schedule()
    schedule.charge(task(5.0), 1.0, now_s=2.0)
    schedule.charge(task(0.0, idle=True), 1.0, now_s=2.0)
    assert TENANT.served_s == 0.0


# -- whole workloads -------------------------------------------------------------------------

BLOCK_S = 0.2
SEEDS = st.integers(0, 10_000)
SIMULATED = settings(max_examples=60)  # each is thousands of calls


def random_streams(rng: random.Random, load: float, n_streams: int) -> list[SimStream]:
    """Streams whose loads sum up to `load`, at random times."""
    weights = [rng.uniform(0.2, 1.0) for _ in range(n_streams)]
    return [
        SimStream(
            arrives_s=rng.uniform(0.0, 3.0),
            n_blocks=rng.randint(5, 40),
            n_calls=(n_calls := rng.randint(1, 8)),
            call_s=load * weight / sum(weights) * BLOCK_S / n_calls,
        )
        for weight in weights
    ]


@SIMULATED
@given(seed=SEEDS, n_cores=st.sampled_from([1, 2, 4]), load=st.floats(0.1, 0.95))
def test_deadlines_are_kept_while_the_load_is_below_the_capacity(seed: int, n_cores: int, load: float):
    """Liu and Layland (1973); several cores: Goossens, Funk and Baruah (2003). A call is not interrupted."""
    rng = random.Random(seed)
    streams = random_streams(rng, load, rng.randint(2, 30))
    heaviest = max(stream.load for stream in streams)
    for stream in streams:
        stream.call_s *= n_cores - (n_cores - 1) * heaviest
    Machine(Schedule(), n_cores).run(streams)
    longest_call_s = max(stream.call_s for stream in streams)
    for stream in streams:
        assert len(stream.ready_s) == stream.n_blocks
        assert max(stream.late_s, default=0.0) <= longest_call_s + 1e-9


@SIMULATED
@given(seed=SEEDS, load=st.floats(1.1, 4.0))
def test_beyond_the_capacity_no_stream_is_worse_off_than_another_by_more_than_one_block(
    seed: int, load: float
):
    rng = random.Random(seed)
    n_streams = rng.randint(2, 12)
    call_s = load * BLOCK_S / n_streams / 4
    streams = [SimStream(0.0, n_blocks=10_000, n_calls=4, call_s=call_s) for _ in range(n_streams)]
    Machine(Schedule()).run(streams, until_s=8.0)
    blocks = [len(stream.ready_s) for stream in streams]
    assert max(blocks) - min(blocks) <= 1
    assert min(blocks) > 0


@SIMULATED
@given(seed=SEEDS)
def test_nothing_starves_while_new_streams_keep_coming(seed: int):
    """Newcomers are due at once, but once a block is due it waits for what was due before, and one call."""
    rng = random.Random(seed)
    old = SimStream(0.0, n_blocks=30, n_calls=3, call_s=0.005)
    new = [
        SimStream(number * 0.05 + rng.uniform(0.0, 0.02), n_blocks=2, n_calls=5, call_s=0.012)
        for number in range(1, 100)
    ]  # more than twice what the machine can do, for five seconds
    machine = Machine(Schedule())
    machine.run([old, *new])
    assert len(old.ready_s) == old.n_blocks
    for number, (deadline_s, asked_s) in enumerate(machine.asked[old]):
        due_s = max(deadline_s, asked_s)
        later = [
            turn_s
            for turn_s, turn_deadline_s in machine.turns
            if due_s < turn_s < old.ready_s[number] and turn_deadline_s > deadline_s
        ]
        assert later == []


@SIMULATED
@given(seed=SEEDS, max_ahead_s=st.floats(0.5, 3.0))
def test_nothing_is_computed_further_ahead_than_allowed(seed: int, max_ahead_s: float):
    streams = random_streams(random.Random(seed), 0.5, 6)
    for stream in streams:
        stream.max_ahead_s = max_ahead_s
    Machine(Schedule()).run(streams)
    for stream in streams:
        for number, ready_s in enumerate(stream.ready_s):
            heard_from_s = stream.ready_s[0] + number * BLOCK_S
            assert heard_from_s - ready_s <= max_ahead_s + 1e-9


def test_a_first_block_waits_for_one_call_however_many_streams_have_work():
    busy = [SimStream(0.0, n_blocks=50, n_calls=4, call_s=0.002) for _ in range(10)]
    new = SimStream(2.0005, n_blocks=5, n_calls=4, call_s=0.002)
    Machine(Schedule()).run([*busy, new])
    assert new.ttfc_s <= 4 * 0.002 + 0.002


def test_the_work_of_a_stream_that_leaves_is_dropped_at_once():
    leaving = SimStream(0.0, n_blocks=1000, n_calls=4, call_s=0.01, leaves_s=3.0, max_ahead_s=NEVER)
    staying = SimStream(0.0, n_blocks=20, n_calls=4, call_s=0.01)
    machine = Machine(Schedule())
    machine.run([leaving, staying])
    assert leaving.ready_s[-1] <= 3.0
    assert machine.order.n_waiting == 0
    assert len(staying.ready_s) == 20


def test_a_tenant_that_floods_does_not_make_another_stutter():
    flood, modest = Tenant("flood"), Tenant("modest")
    flooding = [SimStream(0.0, n_blocks=500, n_calls=4, call_s=0.005, tenant=flood) for _ in range(50)]
    speaking = [
        SimStream(1.0 + number, n_blocks=25, n_calls=4, call_s=0.005, tenant=modest) for number in range(4)
    ]
    Machine(Schedule()).run([*flooding, *speaking], until_s=10.0)  # five times what the machine can do
    for stream in speaking:
        assert stream.ttfc_s <= 0.06
        assert max(stream.late_s) <= 0.02
    assert max(flooding[0].late_s) > 0.1


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_beyond_the_capacity_tenants_have_their_weights_share(weight: float):
    light, heavy = Tenant("light"), Tenant("heavy", weight)
    streams = [
        SimStream(0.0, n_blocks=10_000, n_calls=2, call_s=0.01, tenant=tenant)
        for tenant in (light, heavy)
        for _ in range(30)
    ]
    Machine(Schedule()).run(streams, until_s=10.0)
    had = {tenant: sum(s.work_s for s in streams if s.tenant is tenant) for tenant in (light, heavy)}
    assert had[heavy] / had[light] == pytest.approx(weight, rel=0.1)


def test_company_makes_room_for_more_streams():
    def stalled_s(company: str | None) -> float:
        streams = [SimStream(0.0, n_blocks=50, n_calls=4, call_s=0.005, company=company) for _ in range(20)]
        Machine(Schedule(), row_share=0.2).run(streams)
        return max(sum(stream.late_s) for stream in streams)

    assert stalled_s(None) > 1.0  # twice what the machine can do one by one
    assert stalled_s("decoder") <= 0.05


def test_simulated_tasks_are_tasks():
    assert isinstance(SimTask(0.0, TENANT), Task)
