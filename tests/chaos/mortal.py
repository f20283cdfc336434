"""`spendstream`, with the means to die or to freeze at a named step: python -m tests.chaos.mortal worker metering ...

A file named like a step in the folder SPENDSTREAM_CHAOS_STEPS makes the first process that reaches the step claim the
file and kill (or stop) itself there, for real. The steps of a booking, in order:

    processed ▸ inserting:blocks ▸ inserted:blocks ▸ committed ▸ inserting:TABLE ▸ inserted:TABLE (for each table)
    ▸ announced ▸ inserting:block_receipts ▸ inserted:block_receipts

and, of a redo, redo:processed; of a rebalance, join_prepare and joined. The production code knows nothing of this.

SPENDSTREAM_CHAOS_CLOCK_S sets this process' wall clock, as far as the application reads it, that many seconds ahead
(or back), as on a machine whose clock nobody corrects.

SPENDSTREAM_CHAOS_SABOTAGE breaks a promise on purpose, so that tests can show that they would notice: "tokens" gives
every insert a token of its own, "redo" leaves out the redoing of blocks.
"""

import asyncio
import faulthandler
import importlib
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final

from aiokafka.consumer.group_coordinator import GroupCoordinator

from spendstream.cli import main
from stream_jobs.blocks import partition as partition_module
from stream_jobs.blocks import store as store_module
from stream_jobs.blocks.booking import Steps
from stream_jobs.streams.model import BlockCounts, BlockOutput
from stream_jobs.worker import BUILD

FOLDER_VARIABLE: Final = "SPENDSTREAM_CHAOS_STEPS"
SABOTAGE_VARIABLE: Final = "SPENDSTREAM_CHAOS_SABOTAGE"
CLOCK_VARIABLE: Final = "SPENDSTREAM_CHAOS_CLOCK_S"
KILL: Final = "kill"
STOP: Final = "stop"
_folder = Path()
_reached: Counter[str] = Counter()


def step(name: str) -> None:
    """Called when a step is reached. The file holds what to do, and at which occasion: "kill", or "stop 3"."""
    wish = _folder / name
    if not wish.exists():
        return
    with suppress(OSError):
        what, _, occasion = wish.read_text().partition(" ")
        _reached[name] += 1
        if _reached[name] < int(occasion or 1):
            return
        claimed = _folder / f"claimed-{name}-{os.getpid()}"
        wish.rename(claimed)  # only one process can
        os.kill(os.getpid(), signal.SIGKILL if what == KILL else signal.SIGSTOP)


def _mortal_insert(insert: Callable[..., None]) -> Callable[..., None]:
    def inserting(client: Any, table: str, *rest: Any, **options: Any) -> None:
        step(f"inserting:{table}")
        insert(client, table, *rest, **options)
        step(f"inserted:{table}")

    return inserting


def _mortal_book(book: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def booking(block: Any, records: Any, steps: Steps) -> Any:
        async def committing(offset: int) -> None:
            await steps.commit(offset)
            step("committed")

        async def announcing(block: Any, output: Any) -> None:
            if steps.announce is not None:
                await steps.announce(block, output)
            step("announced")

        mortal = _mortal_process(steps.process, "processed")
        return await book(block, records, replace(steps, process=mortal, commit=committing, announce=announcing))

    return booking


def _fresh_tokens(insert: Callable[..., None]) -> Callable[..., None]:
    def inserting(client: Any, table: str, rows: Any, token: str, *rest: Any, **options: Any) -> None:
        insert(client, table, rows, f"{token} {uuid.uuid4()}", *rest, **options)

    return inserting


async def _no_redo(*_: Any) -> BlockOutput:
    return BlockOutput(BlockCounts())


def _mortal_redo(redo: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def redoing(block: Any, records: Any, steps: Steps) -> Any:
        return await redo(block, records, replace(steps, process=_mortal_process(steps.process, "redo:processed")))

    return redoing


def _mortal_process(process: Any, name: str) -> Any:
    async def processing(block: Any, records: Any) -> Any:
        output = await process(block, records)
        step(name)
        return output

    return processing


def _mortal_prepare(prepare: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def preparing(self: Any, previous_assignment: Any) -> Any:
        step("join_prepare")
        return await prepare(self, previous_assignment)

    return preparing


def _mortal_complete(complete: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def completing(self: Any, generation: int, member_id: str, *rest: Any) -> Any:
        result = await complete(self, generation, member_id, *rest)
        (_folder / f"member-{os.getpid()}").write_text(member_id)
        step("joined")
        return result

    return completing


def patch(folder: Path, sabotage: str) -> None:
    """Put the steps in place. An attribute that is gone is an error: then this module must follow the code."""
    global _folder
    _folder = folder
    if sabotage == "tokens":
        store_module.insert = _fresh_tokens(store_module.insert)  # type: ignore[attr-defined]
    if sabotage == "redo":
        partition_module.redo_block = _no_redo  # type: ignore[attr-defined,assignment]
    store_module.insert = _mortal_insert(store_module.insert)  # type: ignore[attr-defined]
    partition_module.book_block = _mortal_book(partition_module.book_block)  # type: ignore[attr-defined,assignment]
    partition_module.redo_block = _mortal_redo(partition_module.redo_block)  # type: ignore[attr-defined,assignment]
    GroupCoordinator._on_join_prepare = _mortal_prepare(GroupCoordinator._on_join_prepare)
    GroupCoordinator._on_join_complete = _mortal_complete(GroupCoordinator._on_join_complete)


class _Datetime(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


def set_clock(ahead_s: float) -> None:
    """From now on every module of the application that has imported `datetime` reads this clock, `time.time` too."""
    for packages in BUILD.values():  # with a job comes everything that a worker may import later
        for package in packages:
            importlib.import_module(f"stream_jobs.{package}.job")
    ahead = timedelta(seconds=ahead_s)
    real_time = time.time

    class Clock(datetime, metaclass=_Datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + ahead

    for name, module in list(sys.modules.items()):
        if name.startswith("stream_jobs.") and getattr(module, "datetime", None) is datetime:
            module.datetime = Clock  # type: ignore[attr-defined]
    time.time = lambda: real_time() + ahead_s


def _dump(*_: object) -> None:
    """SIGUSR1: what every thread and every task is doing, into the log."""
    faulthandler.dump_traceback()
    with suppress(RuntimeError):
        for task in asyncio.all_tasks(asyncio.get_running_loop()):
            task.print_stack(limit=6)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _dump)
    # Popped: the worker refuses variables that look like a mistyped setting.
    patch(Path(os.environ.pop(FOLDER_VARIABLE)), os.environ.pop(SABOTAGE_VARIABLE, ""))
    set_clock(float(os.environ.pop(CLOCK_VARIABLE, "0")))
    sys.exit(main())
