"""Steps that are repeated, by a clock that only the tests set."""

import asyncio
import logging
from collections.abc import Iterator
from itertools import islice

import pytest

from stream_jobs.base.errors import BrokerUnavailableError, ConfigError, StoreUnavailableError
from stream_jobs.runtime.retry import OUTAGE, Backoff, retry, retry_blocking, wait_until


class Clock:
    """Goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    async def pause(self, seconds: float) -> None:
        self.sleep(seconds)


class Step:
    """Fails as often as it is told to, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self._failures: Iterator[Exception] = iter(failures)

    def __call__(self) -> str:
        for failure in self._failures:
            raise failure
        return "done"

    async def awaited(self) -> str:
        return self()


def away(times: int) -> list[Exception]:
    return [StoreUnavailableError("away") for _ in range(times)]


def test_pauses_double_up_to_the_longest() -> None:
    """An outage is asked about often at first, and every five seconds for as long as it lasts."""
    assert list(islice(OUTAGE, 8)) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_step_is_repeated_until_it_works_and_each_failure_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The log says what failed, why, and when it is tried again."""
    clock, step = Clock(), Step(*away(3))
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(retry(step.awaited, "the block", StoreUnavailableError, OUTAGE, clock.pause)) == "done"
    assert clock.slept == [0.1, 0.2, 0.4]
    assert [record.getMessage() for record in caplog.records] == [
        f"the block: away; trying again in {pause} s" for pause in (0.1, 0.2, 0.4)
    ]


def test_failures_of_another_kind_are_raised_at_once() -> None:
    """Repeating helps against outages, not against what is wrong."""
    clock = Clock()
    with pytest.raises(ConfigError):
        asyncio.run(retry(Step(ConfigError("wrong")).awaited, "it", StoreUnavailableError, OUTAGE, clock.pause))
    with pytest.raises(ConfigError):
        retry_blocking(
            Step(ConfigError("wrong")),
            *("it", StoreUnavailableError, OUTAGE, lambda _: 60.0),
            clock=clock,
            sleep=clock.sleep,
        )
    assert clock.slept == []


def test_whoever_pauses_may_give_up() -> None:
    """What the pause raises ends the repetition: the partition is lost, say."""

    async def lost(_: float) -> None:
        raise ConfigError("given up")

    with pytest.raises(ConfigError, match="given up"):
        asyncio.run(retry(Step(*away(9)).awaited, "it", StoreUnavailableError, OUTAGE, lost))


@pytest.mark.parametrize(("patience_s", "attempts"), [(-1.0, 1), (0.0, 2), (2.5, 4), (60.0, 5)])
def test_patience_has_an_end(patience_s: float, attempts: int) -> None:
    """The failure that comes too late is raised as it is; one that no patience helps against, at once."""
    clock, failures = Clock(), away(4)

    def run() -> str:
        every_second = Backoff(1.0, 1.0)
        return retry_blocking(
            Step(*failures),
            *("it", StoreUnavailableError, every_second, lambda _: patience_s),
            clock=clock,
            sleep=clock.sleep,
        )

    if attempts > len(failures):
        assert run() == "done"
    else:
        with pytest.raises(StoreUnavailableError) as raised:
            run()
        assert raised.value is failures[attempts - 1]
    assert len(clock.slept) == attempts - 1


def test_patience_may_depend_on_the_failure() -> None:
    """Kafka's codes: some go by in a moment, some never."""
    clock = Clock()

    def patience_s(error: Exception) -> float:
        return 10.0 if isinstance(error, StoreUnavailableError) else -1.0

    with pytest.raises(BrokerUnavailableError):
        retry_blocking(
            Step(*away(2), BrokerUnavailableError("gone")),
            *(None, Exception, OUTAGE, patience_s),
            clock=clock,
            sleep=clock.sleep,
        )
    assert len(clock.slept) == 2


def test_waiting_ends_with_the_condition_or_with_the_time() -> None:
    """What holds already costs no pause; it is looked at even when there is no time at all."""
    clock = Clock()
    assert wait_until(lambda: True, 0.0, clock=clock, sleep=clock.sleep)
    assert clock.slept == []
    assert wait_until(lambda: clock.now_s >= 103.0, 5.0, 1.0, clock=clock, sleep=clock.sleep)
    assert clock.slept == [1.0] * 3
    assert not wait_until(lambda: False, 5.0, 1.0, clock=clock, sleep=clock.sleep)
    assert clock.now_s == pytest.approx(109.0)
