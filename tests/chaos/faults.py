"""What can go wrong, each as a generator: it does harm, yields how long to wait, and mends what it has done."""

import random
from collections.abc import Callable, Iterator
from typing import Final

from tests.chaos.mortal import KILL, STOP
from tests.chaos.proxy import Mode
from tests.chaos.world import MAX_WORKERS, MIN_WORKERS, SESSION_TIMEOUT_S, STORE_TIMEOUT_S, World

Fault = Callable[[World, random.Random], Iterator[float]]

STEPS: Final = (
    "processed",
    "inserting:blocks",
    "inserted:blocks",
    "committed",
    "inserting:ledger",
    "inserted:ledger",
    "inserting:duplicates",
    "inserted:quarantine",
    "inserting:block_receipts",
    "inserted:block_receipts",
    "redo:processed",
    "join_prepare",
    "joined",
)


def _beyond_session(rng: random.Random) -> float:
    """Longer than a worker may be silent: the group goes on without it."""
    return SESSION_TIMEOUT_S * rng.uniform(1.2, 1.8)


def kill_worker(world: World, rng: random.Random) -> Iterator[float]:
    """kill -9 at a random instant."""
    if (worker := world.victim()) is not None:
        world.note(f"kill -9 {worker.name}")
        worker.kill()
    yield 0


def kill_at_step(world: World, rng: random.Random) -> Iterator[float]:
    """kill -9 of the next worker that reaches a step of a booking or of a rebalance."""
    yield from _at_step(world, rng, KILL)


def freeze_at_step(world: World, rng: random.Random) -> Iterator[float]:
    """SIGSTOP at a step, for longer than the session: a zombie that wakes up in the middle of a booking."""
    yield from _at_step(world, rng, STOP)


def _at_step(world: World, rng: random.Random, what: str) -> Iterator[float]:
    step = rng.choice(STEPS)
    wish = world.steps / step
    if wish.exists():
        return
    world.note(f"{what} whoever reaches {step}")
    before = set(world.steps.glob(f"claimed-{step}-*"))
    wish.write_text(f"{what} {rng.choice((1, 1, 3))}")
    for _ in range(30):
        if not wish.exists():
            break
        yield 0.2
    wish.unlink(missing_ok=True)
    claimed = set(world.steps.glob(f"claimed-{step}-*")) - before
    world.note(f"{what} at {step}: {'done' if claimed else 'nobody came'}")
    if claimed and what == STOP:
        yield _beyond_session(rng)
        for worker in world.workers:
            if any(path.name.endswith(f"-{worker.pid}") for path in claimed):
                world.note(f"{worker.name} wakes up")
                worker.thaw()


def zombie(world: World, rng: random.Random) -> Iterator[float]:
    """SIGSTOP at a random instant, for longer than the session."""
    if (worker := world.victim()) is None:
        return
    world.note(f"{worker.name} is stopped")
    worker.freeze()
    yield _beyond_session(rng)
    world.note(f"{worker.name} wakes up")
    worker.thaw()


def add_worker(world: World, rng: random.Random) -> Iterator[float]:
    """One more worker joins."""
    world.wanted = min(MAX_WORKERS, world.wanted + 1)
    world.note(f"{world.wanted} workers are wanted")
    yield 0


def remove_worker(world: World, rng: random.Random) -> Iterator[float]:
    """A worker is asked to stop and leaves the group in order."""
    if world.wanted > MIN_WORKERS and (worker := world.victim()) is not None:
        world.wanted -= 1
        world.note(f"{worker.name} is asked to stop; {world.wanted} workers are wanted")
        worker.terminate()
    yield 0


def rebalance_storm(world: World, rng: random.Random) -> Iterator[float]:
    """Members are thrown out of the group one after the other, and find out when they are refused."""
    for _ in range(rng.randint(2, 5)):
        if (worker := world.victim()) is not None:
            world.evict(worker)
        yield rng.uniform(0.1, 1.0)


def broker_cuts(world: World, rng: random.Random) -> Iterator[float]:
    """Every connection to the broker is cut, several times."""
    for _ in range(rng.randint(1, 5)):
        world.note("connections to the broker are cut")
        world.broker.proxy.cut()
        yield rng.uniform(0.05, 0.8)


def broker_away(world: World, rng: random.Random) -> Iterator[float]:
    """The broker refuses connections for longer than the session."""
    yield from _broker_mode(world, Mode.REFUSE, _beyond_session(rng))


def broker_hangs(world: World, rng: random.Random) -> Iterator[float]:
    """The network to the broker delivers nothing for longer than the session, then everything."""
    yield from _broker_mode(world, Mode.HANG, _beyond_session(rng))


def broker_unheard(world: World, rng: random.Random) -> Iterator[float]:
    """What is sent to the broker arrives; its answers do not."""
    yield from _broker_mode(world, Mode.SWALLOW_ANSWERS, rng.uniform(0.2, 1.0))


def _broker_mode(world: World, mode: Mode, seconds: float) -> Iterator[float]:
    with world.alone("broker") as free:
        if not free:
            return
        world.note(f"broker: {mode.value} for {seconds:.1f} s")
        world.broker.proxy.set(mode)
        yield seconds
        world.broker.proxy.set(Mode.PASS)
        world.note("broker: reachable again")


def broker_frozen(world: World, rng: random.Random) -> Iterator[float]:
    """The broker's process stands still for longer than the session."""
    with world.alone("broker") as free:
        if not free:
            return
        world.note("broker: frozen")
        world.broker.freeze()
        yield _beyond_session(rng)
        world.broker.thaw()
        world.note("broker: thawed")


def broker_restart(world: World, rng: random.Random) -> Iterator[float]:
    """The broker is stopped in order, or killed, stays away, and comes back with what it had acknowledged."""
    hard = rng.random() < 0.5
    with world.alone("broker") as free:
        if not free:
            return
        world.note(f"broker: {'kill -9' if hard else 'stopped'}")
        world.broker.down(hard=hard)
        yield rng.choice((0.0, _beyond_session(rng)))
        world.broker.up()
        world.note("broker: up again")


def store_refuses(world: World, rng: random.Random) -> Iterator[float]:
    """ClickHouse refuses connections."""
    yield from _store_mode(world, Mode.REFUSE, rng.uniform(0.5, 4))


def store_hangs(world: World, rng: random.Random) -> Iterator[float]:
    """ClickHouse accepts everything and answers nothing until everybody has given up; then requests arrive late."""
    yield from _store_mode(world, Mode.HANG, STORE_TIMEOUT_S * rng.uniform(0.5, 1.6))


def store_unheard(world: World, rng: random.Random) -> Iterator[float]:
    """Inserts are accepted and done, but the connection drops before the answer."""
    yield from _store_mode(world, Mode.SWALLOW_ANSWERS, rng.uniform(0.3, 2))


def store_cut_requests(world: World, rng: random.Random) -> Iterator[float]:
    """The connection drops in the middle of what is inserted."""
    yield from _store_mode(world, Mode.CUT_REQUESTS, rng.uniform(0.3, 2))


def _store_mode(world: World, mode: Mode, seconds: float) -> Iterator[float]:
    with world.alone("store") as free:
        if not free:
            return
        world.note(f"store: {mode.value} for {seconds:.1f} s")
        world.store_proxy.set(mode)
        yield seconds
        world.store_proxy.set(Mode.PASS)
        world.note("store: answers again")


def store_killed(world: World, rng: random.Random) -> Iterator[float]:
    """kill -9 of ClickHouse in the middle of whatever it does; it comes back on its data."""
    assert world.store is not None
    world.note("store: kill -9")
    world.store.kill()
    yield rng.uniform(0, 1)
    world.start_store()


def service_killed(world: World, rng: random.Random) -> Iterator[float]:
    """kill -9 of the service with the SDK; started again, it repeats everything under the same ids."""
    assert world.service is not None
    if world.service.alive:
        world.note("service: kill -9")
        world.service.kill()
    yield rng.uniform(0, 1)
    if world.service.exit_code != 0:
        world.start_service()


def watcher_killed(world: World, rng: random.Random) -> Iterator[float]:
    """kill -9 of the anomalies job; the next one goes on from what is written down."""
    for _ in range(2):
        if world.watcher is not None and world.watcher.alive:
            world.note("watcher: kill -9")
            world.watcher.kill()
        yield rng.uniform(1, 4)


COMMON: Final[tuple[Fault, ...]] = (
    kill_worker,
    watcher_killed,
    kill_at_step,
    freeze_at_step,
    zombie,
    add_worker,
    remove_worker,
    broker_cuts,
    broker_away,
    broker_hangs,
    broker_unheard,
    broker_frozen,
    store_refuses,
    store_hangs,
    store_unheard,
    store_cut_requests,
    store_killed,
    service_killed,
)
OFTEN: Final[tuple[Fault, ...]] = (kill_at_step, kill_at_step, freeze_at_step, kill_worker, zombie, store_unheard)
"""The ones that aim at the order of writes come more often."""
KAFKA_ONLY: Final[tuple[Fault, ...]] = (broker_restart, broker_restart, rebalance_storm)
"""Tansu forgets when it stops; and a LeaveGroup while another member joins can leave its group waiting for good."""


def plan(rng: random.Random, seconds: float, *, durable: bool) -> list[tuple[float, Fault]]:
    """When which fault begins, in order: about one a second, each kind at most a few times."""
    kinds = [*COMMON, *OFTEN, *(KAFKA_ONLY if durable else ())]
    chosen = rng.sample(kinds, min(len(kinds), max(3, round(0.8 * seconds))))
    return sorted(((rng.uniform(0.3, 0.85 * seconds), fault) for fault in chosen), key=lambda item: item[0])
