"""Who the current work is for, carried by contextvars: it follows asyncio tasks, and threads that copy the context.

A generator shares the context of whoever reads it. So a block that a generator opened counts only while that generator
runs: between its steps the reader has its own attribution, and generators that are read in turns do not see each
other's. That is so too where a function or a class opens the block for the generator. A context manager made of a
generator (`contextlib`) is the exception, its block is that of whoever enters it.

A context does not say when it was copied. So a task that the reader (or another of its generators) begins between two
steps cannot be told from one that the generator began, and has the block too. A generator that is decorated takes its
block along at each step (`_Turns`), and its reader has nothing to hand on.
"""

import asyncio
import contextlib
import functools
import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Any, Final, TypeVar

from spendstream.decorated import Way, decorated
from spendstream.stats import logger
from spendstream_schemas import ATTRIBUTION_FIELDS, Attribution

F = TypeVar("F", bound=Callable[..., Any])

_KNOWN_FIELDS: Final = frozenset(ATTRIBUTION_FIELDS)
_NOBODY: Final = Attribution()
_GENERATOR: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_MANAGERS: Final = vars(contextlib)
_FARTHEST: Final = 16  # frames between a generator and who opens a block for it; a look through a deep stack takes long


class _Thread(threading.local):
    """What stands for a thread (under gevent a greenlet). The interpreter gives a thread's number to another one when
    the first has ended."""

    def __init__(self) -> None:
        self.itself = _Runner()


class _Runner:
    pass


_thread: Final = _Thread()


def runner() -> object:
    """What runs this: the task, or outside of any the thread."""
    task = None if asyncio._get_running_loop() is None else asyncio.current_task()
    return _thread.itself if task is None else task


def in_managers(frame: FrameType) -> bool:
    """Whether it is one of `contextlib`'s own: an exit stack, or what drives a generator as a context manager."""
    return frame.f_globals is _MANAGERS


class _Block:
    """One open block: its attribution, and the generator's frame if one opened it."""

    __slots__ = ("_forgotten", "_runner", "frame", "merged", "opener")

    def __init__(self, merged: Attribution, opener: object, frame: FrameType | None) -> None:
        self.merged = merged
        self.opener = opener
        self.frame = frame
        self._runner = None if frame is None else weakref.ref(runner())
        self._forgotten = False

    def counts(self) -> bool:
        """Whether the generator that opened the block, if one did, is running.

        Tasks and threads that the generator began with a copy of the context are its own, whatever it does meanwhile.
        """
        if self._runner is None:
            return True
        if self._forgotten:
            return False
        if self._runner() is not runner():
            return True
        return self.frame is not None and self.frame.f_back is not None

    @property
    def forgotten(self) -> bool:
        """Whether the generator was ended by somebody else, as the event loop does when its reader drops it: then the
        reader's context still holds the block, and so do tasks that the reader begins later."""
        return self._forgotten

    def close(self) -> None:
        self._forgotten = self._runner is not None and self._runner() is not runner()
        self.frame = None  # a frame holds everything its function knows
        self.opener = None


_CURRENT: ContextVar[tuple[_Block, ...]] = ContextVar("spendstream_attribution", default=())


def _generator_of(frame: FrameType) -> FrameType | None:
    """The generator whose block it is, whoever opens it for it: a function, a class, an exit stack, a coroutine that
    an async generator awaits. None where there is no generator near. One that `contextlib` drives is no more than its
    user."""
    one: FrameType | None = frame
    awaited = False
    for _ in range(_FARTHEST):
        if one is None:
            break
        flags, caller = one.f_code.co_flags, one.f_back
        if flags & _GENERATOR and (caller is None or not in_managers(caller)):
            if not awaited or flags & inspect.CO_ASYNC_GENERATOR:
                return one
            if not flags & inspect.CO_ITERABLE_COROUTINE and one.f_code.co_name != "__await__":
                return None  # it runs a coroutine as an event loop does
        elif flags & inspect.CO_COROUTINE:
            awaited = True
        elif awaited and not flags & _GENERATOR and not in_managers(one):
            return None  # the event loop, which runs the coroutine as a task
        one = caller
    return None


def current_attribution() -> Attribution:
    """The attribution of the innermost `attribution` block; empty outside of any."""
    for block in reversed(_CURRENT.get()):
        if block.counts():
            return block.merged
    return _NOBODY


class attribution:  # noqa: N801 - used like a function
    """Set attribution fields for the block. Blocks nest: inner ones add to and override outer ones; labels merge.
    One object serves any number of blocks, also at once. As a decorator it is for functions of every kind.

    A value that breaks the contract is left out and logged: attributing a call must not break it. An unknown field
    name is a programming error and raises TypeError.
    """

    def __init__(self, *, labels: dict[str, str] | None = None, **fields: str | None) -> None:
        check_fields(fields)
        self._labels = labels
        self._fields = fields
        self._of_generators: list[_Block] = []  # open ones: whoever ends a generator may do it in another context

    def __call__(self, func: F) -> F:
        """Each call of a function (plain, async, generator, async generator; a static or class method) has the
        attribution while it runs. A generator has it at each of its steps, in whichever thread or task, and its reader
        does not have it. Raises TypeError for a class or a property."""
        return decorated(func, _Attributed(self))

    def _merged(self) -> Attribution:
        return merge(current_attribution(), self._fields, self._labels)

    def __enter__(self) -> Attribution:
        merged = self._merged()
        block = _Block(merged, self, _generator_of(sys._getframe(1)))
        if block.frame is not None:
            self._of_generators.append(block)
        _CURRENT.set((*(before for before in _CURRENT.get() if not before.forgotten), block))
        return merged

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        blocks = _CURRENT.get()
        mine = [block for block in blocks if block.opener is self]
        if len(mine) != 1 or self._of_generators:
            generator = _generator_of(sys._getframe(1))
            known = mine if generator is None else tuple(self._of_generators)
            mine = [block for block in known if block.frame is generator] or mine
        if mine:
            ended = mine[-1]
            if ended.frame is not None:
                self._of_generators.remove(ended)
            ended.close()
            # Copies of the context (tasks) keep what they have.
            _CURRENT.set(tuple([block for block in blocks if block is not ended]))


class _Attributed(Way):
    def __init__(self, blocks: attribution) -> None:
        self._blocks = blocks

    def call(self) -> attribution:
        return self._blocks

    def turns(self) -> "_Turns":
        return _Turns(self._blocks._merged)


class _Turns:
    """The attribution of one generator, in force from `with` to `with`'s end at each of its steps. What it opens or
    inherits at one step it has at the next, whatever context that runs in."""

    def __init__(self, merged: Callable[[], Attribution]) -> None:
        self._merged = merged
        self._own: tuple[_Block, ...] | None = None
        self._readers: tuple[_Block, ...] = ()
        self._open: list[_Block] = []

    def __enter__(self) -> None:
        self._readers = _CURRENT.get()
        self._open = [block for block in self._readers if block.opener is not None]
        if self._own is None:
            self._own = (*self._readers, _Block(self._merged(), self, None))
        _CURRENT.set(self._own)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._own = _CURRENT.get()
        # A generator that the reader had begun may have ended here, given to this one.
        ended = {block for block in self._open if block.opener is None}
        _CURRENT.set(tuple([block for block in self._readers if block not in ended]) if ended else self._readers)
        self._readers, self._open = (), []


def merge(base: Attribution, fields: Mapping[str, Any], labels: Any = None) -> Attribution:
    """`base` with the fields and labels given (None: as it is). What breaks the contract is left out and logged: a
    field or a label costs itself, labels that are no mapping or too many cost those given here."""
    check_fields(fields)
    values: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    if labels is not None:
        more = _mapping(labels)
        if more:
            values["labels"] = {**(base.labels or {}), **more}
    if not values:
        return base
    if base is _NOBODY and "labels" not in values:  # most calls: no block around them, the same few fields
        try:
            return _alone(tuple(values.items()))
        except Exception:  # noqa: BLE001, S110 - said below
            pass
    known = {name: value for name, value in base.__dict__.items() if value is not None}
    try:
        return Attribution(**{**known, **values})
    except Exception:  # noqa: BLE001 - whatever a value does when it is looked at
        return _as_much_as_can_be(known, values)


def _mapping(labels: Any) -> dict[Any, Any]:
    try:
        if isinstance(labels, Mapping):
            return dict(labels)
    except Exception:  # noqa: BLE001, S110 - a mapping in name only
        pass
    _left_out(["labels"])
    return {}


def _as_much_as_can_be(known: dict[str, Any], values: dict[str, Any]) -> Attribution:
    """Slow, and seldom needed: each value by itself."""
    bad: list[str] = []
    good = dict(known)
    for name, value in values.items():
        if name != "labels":
            if _valid(**{name: value}):
                good[name] = value
            else:
                bad.append(name)
    if "labels" in values:
        labels = {key: value for key, value in values["labels"].items() if _valid(labels={key: value})}
        if len(labels) < len(values["labels"]):
            bad.append("labels")
        if _valid(labels=labels):
            good["labels"] = labels
        else:  # too many
            bad.append("labels")
    _left_out(bad)
    return Attribution(**good)


def _valid(**values: Any) -> bool:
    try:
        Attribution(**values)
    except Exception:  # noqa: BLE001 - a value of whatever kind
        return False
    return True


def _left_out(names: Iterable[str]) -> None:
    told = ", ".join(sorted(set(names)))
    logger.warning("spendstream: attribution left out because it breaks the contract: %s", told)


@functools.lru_cache(maxsize=256)
def _alone(fields: tuple[tuple[str, str], ...]) -> Attribution:
    """Attribution is immutable: calls can share one."""
    return Attribution.model_validate(dict(fields))


def check_fields(fields: Iterable[str]) -> None:
    """Raises TypeError when one of the names is not an attribution field."""
    if not _KNOWN_FIELDS.issuperset(fields):
        unknown = sorted(set(fields) - _KNOWN_FIELDS)
        known = ", ".join((*ATTRIBUTION_FIELDS, "labels"))
        raise TypeError(f"unknown attribution field(s) {', '.join(unknown)}; the fields are {known}")
