"""What every object with a thread of its own needs: to be closed when the process ends, and told after a fork.

`atexit` is not enough: the children of frameworks end with `os._exit`. Their frameworks say when, each in its way:

- multiprocessing (`Process`, `Pool`, `ProcessPoolExecutor`, uvicorn's workers; billiard, which is Celery's, does the
  same) runs the finalizers of its `util` module. A child begins by forgetting those of its parent, and then calls what
  `register_after_fork` was given, which is where ours is made.
- Celery's prefork workers send the signal `worker_process_shutdown`.
- `Pool.terminate`, with which `with Pool()` ends, sends SIGTERM. In a child of multiprocessing where nobody handles
  that signal, we close first and then let it do what it would have done. That is arranged when the child begins: where
  the producer is first made in a thread, it is too late.

The finalizers run before Python waits for the child's threads, which may still emit. So we wait for them in a thread of
our own, which Python waits for as well: it stops the workers of thread pools only after the finalizers, and then waits.

None of them is imported for this: only what the service has loaded matters.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from typing import Any, Final

from spendstream.native import patched

_LAST: Final = -1_000
"""Priority of our finalizer: after the service's own, which may still emit."""

_groups: Final[list[tuple[Collection[Any], Callable[[], None] | None]]] = []


class _Known:
    """What was arranged; also what `register_after_fork` holds, weakly."""

    after_fork = False
    finalizer_of: int | None = None  # the process that has ours


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
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, _frame: object) -> None:
    _close_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _on_celery_shutdown(**_: object) -> None:
    _close_all()


def _others() -> list[threading.Thread]:
    """Threads that Python waits for when the process ends."""
    mine = (threading.main_thread(), threading.current_thread())
    return [thread for thread in threading.enumerate() if not thread.daemon and thread not in mine]


def _close_after_threads() -> None:
    if not patched() and _others():
        try:
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
