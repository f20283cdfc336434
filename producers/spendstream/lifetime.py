"""What every object with a thread of its own needs: to be closed when the process ends, and told after a fork.

`atexit` is not enough: the children of frameworks end with `os._exit`. Their frameworks say when, each in its way:

- multiprocessing (`Process`, `Pool`, `ProcessPoolExecutor`, uvicorn's workers; billiard, which is Celery's, does the
  same) runs the finalizers of its `util` module. A child begins by forgetting those of its parent, and then calls what
  `register_after_fork` was given, which is where ours is made.
- Celery's prefork workers send the signal `worker_process_shutdown`.
- `Pool.terminate`, with which `with Pool()` ends, sends SIGTERM. In a child of multiprocessing where nobody handles
  that signal, we close first and then let it do what it would have done. That is arranged when the child begins: where
  the producer is first made in a thread, it is too late. Python calls no handler in a main thread that goes to wait in
  the very moment in which the signal comes (`_remind`).

The finalizers run before Python waits for the child's threads, which may still emit. So we wait for them in a thread of
our own, which Python waits for as well: it stops the workers of thread pools only after the finalizers, and then waits.

None of them is imported for this: only what the service has loaded matters.
"""

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from typing import Any, Final

from spendstream.native import Thread, blocking_read, patched, pause, signals_left_to_others

_LAST: Final = -1_000
"""Priority of our finalizer: after the service's own, which may still emit."""
_REMINDER_S: Final = 0.01
_LONGEST_REMINDER_S: Final = 1.0

_groups: Final[list[tuple[Collection[Any], Callable[[], None] | None]]] = []


class _Known:
    """What was arranged; also what `register_after_fork` holds, weakly."""

    after_fork = False
    finalizer_of: int | None = None  # the process that has ours
    reminded: int | None = None  # the process whose main thread is reminded of SIGTERM
    terminated: int | None = None  # the process that is closing because of it
    told_by: tuple[int, int] | None = None  # the pipe in which SIGTERM is seen: both ends


_KNOWN: Final = _Known()


def look_after(objects: Collection[Any], before: Callable[[], None] | None = None) -> None:
    """At exit `before` is called, then `close` of each; around a fork `_before_fork`,
    then `_settle_before_fork`, which may wait, and `_after_fork_in_parent` or `_after_fork_in_child`. None may fail
    us."""
    _groups.append((objects, before))

    def tell(what: str) -> Callable[[], None]:
        def of_each() -> None:
            for one in list(objects):
                with contextlib.suppress(Exception):
                    getattr(one, what)()

        return of_each

    def before_fork() -> None:
        tell("_before_fork")()  # all settle at the same time
        tell("_settle_before_fork")()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=before_fork,
            after_in_parent=tell("_after_fork_in_parent"),
            after_in_child=tell("_after_fork_in_child"),
        )
    expect_the_end()


def expect_the_end() -> None:
    """Prepare for the ways in which this process may end, as far as they are loaded. Quick: call it at every start."""
    with contextlib.suppress(Exception):
        util = sys.modules.get("multiprocessing.util")
        if util is not None and not _KNOWN.after_fork:
            _KNOWN.after_fork = True
            util.register_after_fork(_KNOWN, lambda _: _finalize_in(util))
        if util is not None and _is_child():
            if _KNOWN.finalizer_of != os.getpid():
                _finalize_in(util)
            _close_before_sigterm()
    with contextlib.suppress(Exception):
        celery = sys.modules.get("celery.signals")
        if celery is not None:
            celery.worker_process_shutdown.connect(_on_celery_shutdown, weak=False, dispatch_uid="spendstream")


def _is_child() -> bool:
    """Of multiprocessing. A spawned one is none yet while it still loads its modules."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _finalize_in(util: Any) -> None:
    """In a child, when it has forgotten its parent's finalizers."""
    _KNOWN.finalizer_of = os.getpid()
    util.Finalize(None, _close_after_threads, exitpriority=_LAST)
    if _is_child():  # not in billiard's, which handle it themselves
        _close_before_sigterm()


def _close_before_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)
    if signal.getsignal(signal.SIGTERM) is _on_sigterm and _KNOWN.reminded != os.getpid():
        with contextlib.suppress(Exception):  # no descriptor or thread can be had: it is a matter of luck then
            _expect_sigterm()


def _on_sigterm(number: int, _frame: object) -> None:
    if _KNOWN.terminated == os.getpid():
        return  # within that, the signal came again
    _KNOWN.terminated = os.getpid()
    _close_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _expect_sigterm() -> None:
    """See to it that `_on_sigterm` runs.

    CPython's own handler, in C, only notes the signal. The main thread calls ours before its next step; where the
    signal came after its last look and before the system call in which it waits, it waits on: a pool's worker for the
    lock that `Pool.terminate` holds, and that for the worker. Without a handler the signal ends a process at any
    moment, so what may hang is our doing. `signal.set_wakeup_fd`, made for this, is one for the process, and asyncio's
    or Trio's. `faulthandler` writes where the signal comes, for this signal alone and in no thread's turn, then does
    what was to be done (`chain`), and has no part in it any more when the service sets a handler of its own.
    """
    if not hasattr(faulthandler, "register"):
        return
    parents, _KNOWN.told_by = _KNOWN.told_by, os.pipe()
    seen, tell = _KNOWN.told_by
    os.set_blocking(tell, False)
    faulthandler.register(signal.SIGTERM, file=tell, all_threads=False, chain=True)
    for descriptor in parents or ():
        os.close(descriptor)
    _KNOWN.reminded = os.getpid()
    Thread(lambda: _remind(seen), name="spendstream-sigterm").start()


def _remind(seen: int) -> None:
    """When SIGTERM came: send it to the main thread again, which stops its wait, until our handler has been called."""
    blocking_read(seen)
    again_s = _REMINDER_S
    while True:
        pause(again_s)
        if _KNOWN.terminated == os.getpid() or signal.getsignal(signal.SIGTERM) is not _on_sigterm:
            return
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        again_s = min(2 * again_s, _LONGEST_REMINDER_S)


def _on_celery_shutdown(**_: object) -> None:
    _close_all()


def _others() -> list[threading.Thread]:
    """Threads that Python waits for when the process ends."""
    mine = (threading.main_thread(), threading.current_thread())
    return [thread for thread in threading.enumerate() if not thread.daemon and thread not in mine]


def _close_after_threads() -> None:
    if not patched() and _others():
        try:
            with signals_left_to_others():
                threading.Thread(target=_join_and_close, name="spendstream-close", daemon=False).start()
            return
        except RuntimeError:
            pass  # no thread can be had any more
    _close_all()


def _join_and_close() -> None:
    while others := _others():
        others[0].join()
    _close_all()


def _close_all() -> None:
    for objects, before in _groups:
        if before is not None and objects:
            with contextlib.suppress(Exception):
                before()
        for one in list(objects):
            with contextlib.suppress(Exception):
                one.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=expect_the_end)
