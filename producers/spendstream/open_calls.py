"""The open calls of one tracker, found again by who ends them: the frame, object, thread or task that began each."""

import contextlib
from types import CodeType, FrameType
from typing import Final, NamedTuple, TypeAlias

from spendstream.context import in_managers, runner
from spendstream.tracked_call import TrackedCall

_Key: TypeAlias = tuple[int, CodeType | None]
"""A frame (by id) and its code, or an object that begins and ends calls for others (by id) and None."""
_HANDED_THROUGH: Final = frozenset({"__enter__", "__aenter__", "__exit__", "__aexit__"})


class _Open(NamedTuple):
    call: TrackedCall
    runner: object
    keys: tuple[object, ...]
    of_object: bool = False  # the first key is an object's


_BEGUN_ALONE: Final = "begun alone"
"""Where a call stands whose object nobody asked for, because none was open beside it."""

_Group: TypeAlias = dict[int, _Open]
"""By number, in the order in which they began."""


class OpenCalls:
    """Not thread-safe. As long as one call is open it is kept as it is; more are indexed."""

    def __init__(self) -> None:
        self._only: _Open | None = None
        self._all: _Group = {}
        self._groups: dict[object, _Group] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._all) + (self._only is not None)

    def add(self, call: TrackedCall, frame: FrameType) -> None:
        """`frame` begins this call."""
        if not self:
            key = _key(frame)
            self._only = _Open(call, runner(), (key,), key[1] is None)
            return
        if self._only is not None:
            one, self._only = self._only, None
            self._index(one if one.of_object else one._replace(keys=(*one.keys, _BEGUN_ALONE)))
        self._index(_Open(call, runner(), _keys(frame)))

    def pop(self, frame: FrameType) -> tuple[TrackedCall | None, bool]:
        """The call that `frame` ends, and whether it had to be guessed.

        It is the last one of the same frame, exit stack or context manager, in whichever thread (a web framework may
        end a generator's block in another); else the last one of the object whose method this is; else the last one
        that the task or thread began. It is guessed where others could be meant as well. None: none is open.
        """
        if self._only is not None:
            found, self._only = self._only, None
            return found.call, False
        if len(self._all) < 2:
            return (self._take(next(iter(self._all))), False) if self._all else (None, False)
        me = runner()
        first, *others = _keys(frame)
        if first in self._groups:
            return self._take(_last(self._groups[first], me)), False
        alone = self._groups.get(_BEGUN_ALONE, {})
        for key in others:
            if key in self._groups:
                group = self._groups[key]
                return self._take(_last(group, me)), len(group) + len(alone) > 1
            if alone:
                return self._take(_last(alone, me)), False
        group = self._groups.get(me, self._all)
        return self._take(_last(group, me)), len(group) > 1

    def _index(self, opened: _Open) -> None:
        self._number += 1
        self._all[self._number] = opened
        for key in (*opened.keys, opened.runner):
            self._groups.setdefault(key, {})[self._number] = opened

    def _take(self, number: int) -> TrackedCall:
        opened = self._all.pop(number)
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
