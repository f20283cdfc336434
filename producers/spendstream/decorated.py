"""A function of any kind, run in a way of ours: also what runs later than the call does.

A generator is inside while it runs and outside between its steps, whoever reads it: another thread, another task, a
reader that begins tasks of its own. What is sent, thrown and returned passes as if nothing stood between.
"""

import functools
import inspect
import types
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


class Way:
    """How the calls of a decorated function run. One object serves any number of calls, also at once."""

    def call(self) -> AbstractContextManager[Any]:
        """What a call is inside of, while it runs or is awaited."""
        raise NotImplementedError

    def turns(self) -> AbstractContextManager[Any]:
        """What a generator is inside of, entered and left at each of its steps."""
        return nullcontext()

    def result(self, _inside: Any, result: Any) -> Any:
        """What the caller gets for what the function returned; `_inside` is what entering `call` gave."""
        return result

    def steps(self, generator: Any) -> Any:
        """What is read in the place of a generator (sync or async), with all of its methods."""
        return generator

    def plain(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The call of a function that is none of the other kinds. A coroutine or generator that it returns is inside as
        well."""
        with self.call() as inside:
            result = self.result(inside, function(*args, **kwargs))
        if inspect.iscoroutine(result):
            return _coroutine(lambda: result, self)()
        if inspect.isgenerator(result):
            return _generator(lambda: result, self)()
        return _async_generator(lambda: result, self)() if inspect.isasyncgen(result) else result


def decorated(function: F, way: Way) -> F:
    """`function` with each of its calls run in this way; it stays of its kind, and so does what it returns.

    A static or class method stays one. Raises TypeError for what is no function: a class, a property.
    """
    if isinstance(function, staticmethod | classmethod):
        return cast("F", type(function)(decorated(function.__func__, way)))
    if isinstance(function, type) or not callable(function):
        kind = f"the class {function.__name__}" if isinstance(function, type) else f"a {type(function).__name__}"
        raise TypeError(f"cannot decorate {kind}: decorate the function in it (below @property, or the method)")
    made: Callable[..., Any]
    if inspect.iscoroutinefunction(function):
        made = _coroutine(function, way)
    elif inspect.isgeneratorfunction(function):
        awaited = _code_flags(function) & inspect.CO_ITERABLE_COROUTINE
        made = _awaited_generator(function, way) if awaited else _generator(function, way)
    elif inspect.isasyncgenfunction(function):
        made = _async_generator(function, way)
    else:
        made = _plain(function, way)
    return cast("F", functools.wraps(function)(made))


def _code_flags(function: Callable[..., Any]) -> int:
    inner: Any = function
    while isinstance(inner, functools.partial | types.MethodType):
        inner = inner.func if isinstance(inner, functools.partial) else inner.__func__
    return int(inner.__code__.co_flags)


def _plain(function: Callable[..., Any], way: Way) -> Callable[..., Any]:
    def plain(*args: Any, **kwargs: Any) -> Any:
        return way.plain(function, *args, **kwargs)

    return plain


def _coroutine(function: Callable[..., Awaitable[Any]], way: Way) -> Callable[..., Any]:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        with way.call() as inside:
            return way.result(inside, await function(*args, **kwargs))

    return coroutine


def _awaited_generator(function: Callable[..., Any], way: Way) -> Callable[..., Any]:
    """Of `types.coroutine`: its steps are the event loop's, and it is awaited."""

    @types.coroutine
    def coroutine(*args: Any, **kwargs: Any) -> Any:
        with way.call() as inside:
            return way.result(inside, (yield from function(*args, **kwargs)))

    return coroutine


def _generator(function: Callable[..., Any], way: Way) -> Callable[..., Any]:
    def generator(*args: Any, **kwargs: Any) -> Any:
        inside, steps = way.turns(), way.steps(function(*args, **kwargs))
        step: Callable[[Any], Any] = steps.send
        given: Any = None
        while True:
            with inside:
                try:
                    found = step(given)
                except StopIteration as end:
                    return end.value
            try:
                step, given = steps.send, (yield found)
            except GeneratorExit:
                with inside:
                    steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - the generator's own to handle
                step, given = steps.throw, error

    return generator


def _async_generator(function: Callable[..., Any], way: Way) -> Callable[..., Any]:
    async def async_generator(*args: Any, **kwargs: Any) -> Any:
        inside, steps = way.turns(), way.steps(function(*args, **kwargs))
        step: Callable[[Any], Awaitable[Any]] = steps.asend
        given: Any = None
        while True:
            with inside:
                try:
                    found = await step(given)
                except StopAsyncIteration:
                    return
            try:
                step, given = steps.asend, (yield found)
            except GeneratorExit:
                with inside:
                    await steps.aclose()
                raise
            except BaseException as error:  # noqa: BLE001 - the generator's own to handle
                step, given = steps.athrow, error

    return async_generator
