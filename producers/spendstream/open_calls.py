"""The open calls of one tracker, found again by who ends them: the frame, object, thread or task that began each."""

import contextlib
from types import CodeType, FrameType
from typing import Final, NamedTuple, TypeAlias, cast

from spendstream.context import in_managers, runner
from spendstream.tracked_call import TrackedCall

_Key: TypeAlias = tuple[int, CodeType | None]
"""A frame (by id) and its code, or an object that begins and ends calls for others (by id) and None."""
_HANDED_THROUGH: Final = frozenset({"__enter__", "__aenter__", "__exit__", "__aexit__"})


class _Open(NamedTuple):
    call: TrackedCall
    runner: object
    keys: tuple[object, ...]


_BEGUN_ALONE: Final = "begun alone"
"""Where a call stands whose object nobody asked for, because none was open beside it."""

_Group: TypeAlias = dict[int, _Open]
"""By number, in the order in which they began."""


class OpenCalls:
    """Not thread-safe. As long as one call is open it is kept as it is; more are indexed."""

    __slots__ = ("_all", "_groups", "_number", "_only")

    def __init__(self) -> None:
        self._only: tuple[TrackedCall, object, _Key] | None = None
        self._all: _Group | None = None  # most trackers never need it
        self._groups: dict[object, _Group] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._all or ()) + (self._only is not None)

    def add(self, call: TrackedCall, frame: FrameType) -> None:
        """`frame` begins this call."""
        if self._only is None and not self._all:
            self._only = call, runner(), _key(frame)
            return
        if self._only is not None:
            (first, began_in, key), self._only = self._only, None
            self._index(_Open(first, began_in, (key,) if key[1] is None else (key, _BEGUN_ALONE)))
        self._index(_Open(call, runner(), _keys(frame)))

    def pop(self, frame: FrameType) -> tuple[TrackedCall | None, bool]:
        """The call that `frame` ends, and whether it had to be guessed.

        It is the last one of the same frame, exit stack or context manager, in whichever thread (a web framework may
        end a generator's block in another); else the last one of the object whose method this is; else the last one
        that the task or thread began. It is guessed where others could be meant as well. None: none is open.
        """
        if self._only is not None:
            found, self._only = self._only, None
            return found[0], False
        if not self._all:
            return None, False
        number, guessed = (next(iter(self._all)), False) if len(self._all) == 1 else self._find(self._all, frame)
        return self._take(number), guessed

    def _find(self, every: _Group, frame: FrameType) -> tuple[int, bool]:
        me = runner()
        first, *others = _keys(frame)
        if first in self._groups:
            return _last(self._groups[first], me), False
        alone = self._groups.get(_BEGUN_ALONE, {})
        for key in others:
            if key in self._groups:
                group = self._groups[key]
                return _last(group, me), len(group) + len(alone) > 1
            if alone:
                return _last(alone, me), False
        group = self._groups.get(me, every)
        return _last(group, me), len(group) > 1

    def _index(self, opened: _Open) -> None:
        if self._all is None:
            self._all = {}
        self._number += 1
        self._all[self._number] = opened
        for key in (*opened.keys, opened.runner):
            self._groups.setdefault(key, {})[self._number] = opened

    def _take(self, number: int) -> TrackedCall:
        opened = cast("_Group", self._all).pop(number)
        for key in (*opened.keys, opened.runner):
            group = self._groups[key]
            del group[number]
            if not group:
                del self._groups[key]
        return opened.call


def _last(group: _Group, me: object) -> int:
    """Of the same thread or task, if there is one."""
    last = next(reversed(group))
    if group[last].runner is me:
        return last
    return next((number for number in reversed(group) if group[number].runner is me), last)


def _key(frame: FrameType) -> _Key:
    code = frame.f_code
    if code.co_argcount and (code.co_name in _HANDED_THROUGH or in_managers(frame)):
        return _holder(frame)
    return id(frame), code


def _keys(frame: FrameType) -> tuple[_Key, ...]:
    """The frame's, and that of the object whose method it may be: one that has `begin` and `finish`, say. Only asked
    where several are open: looking at a frame's variables holds them until it ends."""
    key = _key(frame)
    return (key, _holder(frame)) if key[1] is not None and frame.f_code.co_argcount else (key,)


def _holder(frame: FrameType) -> _Key:
    holder = frame.f_locals.get(frame.f_code.co_varnames[0])
    if isinstance(holder, contextlib.ExitStack | contextlib.AsyncExitStack):
        # `pop_all` moves what a stack holds to another one. A Python that names it otherwise has the stack itself.
        holder = getattr(holder, "_exit_callbacks", holder)
    return id(holder), None
