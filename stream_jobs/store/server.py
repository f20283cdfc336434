"""The embedded store as a process: python -m stream_jobs.store.server --path DIR --port N [--credentials FILE].

It owns DIR, answers ClickHouse's HTTP interface on loopback, and stops cleanly on SIGTERM and SIGINT (exit code 0), or
when stdin is a pipe whose other end closes: a supervisor that dies takes its store along.
What it can't start with is said in one line on stderr (exit code 2).
"""

import argparse
import asyncio
import logging
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from stream_jobs.base.errors import ConfigError, SpendstreamError
from stream_jobs.base.private import UMASK, private_folder
from stream_jobs.runtime.logs import log_to_stderr
from stream_jobs.runtime.orphan import stop_with_parent
from stream_jobs.runtime.ports import LOOPBACK
from stream_jobs.store.embedded.access import read_or_make_password
from stream_jobs.store.embedded.confinement import Confinement, confine, leave_secrets
from stream_jobs.store.embedded.engine import Engine
from stream_jobs.store.embedded.engine_config import CONFIG_FILES, write_engine_config
from stream_jobs.store.embedded.http import StoreHttp
from stream_jobs.store.embedded.lock import FolderLock
from stream_jobs.store.embedded.setting_rules import Limits

MAX_URL_BYTES: Final = 1024 * 1024  # as in ClickHouse: parameters travel in the URL
READ_BUFFER_BYTES: Final = 1048576
MIN_FREE_BYTES: Final = 256 * 1024 * 1024
STATEMENT_TIMEOUT_S: Final = 300.0
STOP_TIMEOUT_S: Final = 10.0
LINGERING_S: Final = 0.1
"""How long the rest of a refused body is read and thrown away, so that its sender sees the answer."""
READ_TIMEOUT_S: Final = 120.0
MIN_READERS: Final = 3
READ_NICE: Final = 19
CAP_SYS_NICE: Final = 23  # linux/capability.h
READ_MEMORY_SHARE: Final = 0.15
READ_RESULT_BYTES: Final = 128 * 1024 * 1024
READ_DISK_BYTES: Final = 1024 * 1024 * 1024

log = logging.getLogger("spendstream.store")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stream_jobs.store.server", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, metavar="DIR", help="folder of the store; made if missing")
    parser.add_argument("--port", type=int, required=True, metavar="N", help="port on loopback; 0 picks a free one")
    parser.add_argument("--credentials", type=Path, metavar="FILE", help="password of the user spendstream")
    parser.add_argument("--statement-timeout", type=float, default=STATEMENT_TIMEOUT_S, metavar="S")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 after a clean stop, 2 when it could not start."""
    args = _arguments(argv)
    log_to_stderr()
    logging.getLogger("aiohttp.server").addFilter(_not_a_bad_request)
    os.umask(UMASK)  # the store is its owner's alone
    _take_all_descriptors()
    os.environ["TZ"] = "UTC"  # the engine's default time zone; its DateTime columns say UTC anyway
    time.tzset()
    try:
        folder = _prepare(args.path)
        with FolderLock(folder / "lock"), _listen(args.port) as listener:
            credentials = args.credentials or folder / "credentials"
            password = read_or_make_password(credentials)
            config = write_engine_config(folder, timeout_s=args.statement_timeout)
            confinement = _confine(folder)
            _check_out_of_reach(credentials, confinement)
            engine = Engine(folder / "data", config)
            limits = _read_limits(args.statement_timeout)
            try:
                http = StoreHttp(engine, password, limits, readers=_readers(), confinement=confinement)
                asyncio.run(_serve(http, listener))
            finally:
                engine.close()
    except SpendstreamError as error:
        print(f"spendstream store: {error}", file=sys.stderr)
        return 2
    return 0


def _not_a_bad_request(record: logging.LogRecord) -> bool:
    """Bytes that are no HTTP get their 400; a traceback for each would let whoever sends them fill the disk."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _take_all_descriptors() -> None:
    """As many open files as the system lets us have: idle connections must not take those that the engine needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _prepare(path: Path) -> Path:
    """The folder, made and checked. Raises ConfigError."""
    try:
        private_folder(path)
        free = shutil.disk_usage(path).free
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; choose another --data-dir") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"{path}: Permission denied; choose a --data-dir this user may write to")
    if free < MIN_FREE_BYTES:
        raise ConfigError(
            f"{path}: only {free // 1024**2} MiB are free, {MIN_FREE_BYTES // 1024**2} MiB are needed; "
            "free some space or choose another --data-dir"
        )
    return path.resolve()


def _listen(port: int) -> socket.socket:
    """A listening socket on loopback. Raises ConfigError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"port {port}: {why}; choose another with --clickhouse-port (0 picks a free one)") from None
    return listener


def _confine(folder: Path) -> Confinement:
    """Bind this process to its data, before the engine starts its threads. The password's file is not among it."""
    data, scratch = folder / "data", folder / "scratch"
    for path in (data, scratch):
        path.mkdir(exist_ok=True, mode=0o700)
    os.environ["TMPDIR"] = str(scratch)  # the engine makes a folder there as soon as it is loaded
    confinement = confine([data, scratch], [folder / name for name in CONFIG_FILES])
    log.log(logging.INFO if confinement.complete else logging.WARNING, "%s", confinement)
    return confinement


def _check_out_of_reach(credentials: Path, confinement: Confinement) -> None:
    """Whoever talks the engine into reading a file must not find the password. Raises ConfigError when it lies in a
    folder that this process keeps: the data, Python's own, a library's."""
    try:
        os.close(os.open(credentials, os.O_RDONLY))
    except OSError:
        return
    if confinement.files:
        raise ConfigError(
            f"{credentials}: the engine could read the password there, as that folder holds its data or a program; "
            "choose another --data-dir (or --credentials)"
        )


def _readers() -> int:
    """How many statements of the read user run at once."""
    return max(MIN_READERS, os.cpu_count() or 1)


def _may_renice() -> bool:
    """Whether a thread's priority can be taken back after it was lowered (CAP_SYS_NICE): the engine leaves it alone
    otherwise."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> CAP_SYS_NICE & 1)


def _read_limits(timeout_s: float) -> Limits:
    """All readers together may take a part of the machine's memory. Their threads give way to those of jobs where
    the process may say so; elsewhere each has half of the cores."""
    cores = os.cpu_count() or 1
    nice = READ_NICE if _may_renice() else 0
    memory_bytes = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * READ_MEMORY_SHARE) // _readers()
    return Limits(
        memory_bytes=memory_bytes,
        time_s=min(timeout_s, READ_TIMEOUT_S),
        result_bytes=READ_RESULT_BYTES,
        threads=cores if nice else max(1, cores // 2),
        nice=nice,
        disk_bytes=READ_DISK_BYTES,
    )


async def _serve(http: StoreHttp, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        http.app(),
        access_log=None,
        auto_decompress=False,  # request.py does it, with a bound
        handler_cancellation=True,  # a client that goes away ends its query
        shutdown_timeout=STOP_TIMEOUT_S,
        lingering_time=LINGERING_S,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=MAX_URL_BYTES,
        max_field_size=MAX_URL_BYTES,
    )
    stop_with_parent()
    await runner.setup()
    await web.SockSite(runner, listener).start()
    port = listener.getsockname()[1]
    print(f"listening on http://{LOOPBACK}:{port}", flush=True)
    try:
        await stop.wait()
        log.info("stopping: running statements are ended, finished inserts stay")
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    leave_secrets()
    sys.exit(main())
