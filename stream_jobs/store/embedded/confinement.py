"""A wall around the store's process that the operating system keeps: whatever a statement talks the engine into, it
reaches the data folder, what Python and the engine need to run, and nothing else.

Two parts, both of Linux, both bound for good and inherited by every thread that is started later:

- Landlock (since 5.13): files. Reading is allowed below Python's own folders and of a few files of the kernel that the
  engine looks at; reading and writing in the data folder alone; nothing may be executed. Refused are, too, TCP
  connections and ports (since 6.7), signals to other processes and the abstract sockets of others (since 6.12).
  Among those files are auxv (without it every look at a clock is a system call: the engine finds its vDSO there) and
  the accounts of the process's own threads (the engine opens a thread's schedstat whenever that takes up work): where
  it may not, an insert costs a fifth more. Beside the latter lies the environment that the process was started with,
  which therefore must hold no secrets (`leave_secrets`).
- seccomp: no new socket of any family, so that not even a name is looked up; no io_uring, which would go around it; no
  looking into other processes.

What was open before (the listening socket, the lock, the log) stays. Where the kernel lacks a part the store runs
without it, and says so (`Confinement.missing`). Sources: the kernel's landlock.rst, seccomp_filter.rst.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream_jobs.base.checkout import ROOT
from stream_jobs.base.errors import SpendstreamError
from stream_jobs.runtime import system

_O_PATH: Final = 0o10000000  # include/uapi/asm-generic/fcntl.h; os.O_PATH is there on Linux only
# include/uapi/linux/landlock.h
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_IOCTL_DEV: Final = 1 << 15
_READ: Final = _READ_FILE | _READ_DIR
_OF_A_FILE: Final = 0b1100_0000_0000_0111 & ~0b1000_0000_0000_0000  # execute, write, read, truncate: rights on a file
_FILES_BY_ABI: Final = (0, 13, 14, 15, 15, 16)  # how many access rights to files each version knows
_TCP: Final = 0b11  # bind and connect, since version 4
_SCOPES: Final = 0b11  # abstract sockets and signals, since version 6

# include/uapi/linux/{prctl,seccomp,audit}.h
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EACCES
_LOAD_WORD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32_BIT: Final = 0x40000000
_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_REFUSED_CALLS: Final = {
    # socket, ptrace, process_vm_readv, process_vm_writev, io_uring_setup, pidfd_getfd
    "x86_64": (41, 101, 310, 311, 425, 438),
    "aarch64": (198, 117, 270, 271, 425, 438),
}

_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_PLAIN: Final = ("PATH", "HOME", "LANG", "LC_", "TZ", "LD_", "PYTHON", "VIRTUAL_ENV", "OPENBLAS_", "MALLOC_")
"""Beginnings of the variables that any program needs to run."""
_KERNEL_FILES: Final = (
    *("/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/sys/vm"),
    *("/proc/sys/kernel/osrelease", "/proc/self/statm", "/proc/self/stat", "/proc/self/status", "/proc/self/maps"),
    *("/proc/self/task", "/proc/self/auxv"),
    *("/sys/fs/cgroup", "/sys/devices/system/cpu", "/sys/devices/system/node"),
    "/sys/kernel/mm/transparent_hugepage",
    *("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/usr/share/zoneinfo", "/etc/localtime"),
)


class ConfinementError(SpendstreamError):
    """The kernel has the means and refused them: the store must not go on as if it were confined."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What holds this process in. `files`, `network`: which of the walls stand; `missing`: why others do not."""

    files: bool
    network: bool
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.files and self.network

    def __str__(self) -> str:
        return "confined to its data folder" if self.complete else "not confined: " + "; ".join(self.missing)


def leave_secrets() -> None:
    """Start this program anew, with nothing in its environment but what any program needs; return when it is so.

    To forget a variable is not enough: the kernel shows what a process was started with for as long as it runs.
    """
    plain = {name: value for name, value in os.environ.items() if name.startswith(_PLAIN)}
    if len(plain) < len(os.environ):
        os.execve(sys.executable, sys.orig_argv, plain)  # noqa: S606 - this very program


def confine(writable: Sequence[Path], readable: Sequence[Path] = ()) -> Confinement:
    """Bind this process, for good, to what it may reach. Every path must exist.

    To be called while there is one thread: others keep their freedom (checked; ConfinementError). Raises
    ConfinementError too when the kernel knows a wall and refuses to build it.
    """
    if not system.LINUX:
        return Confinement(False, False, (f"{platform.system()} has neither Landlock nor seccomp",))
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise ConfinementError("the store must be confined before it starts threads")
    libc = ctypes.CDLL(None, use_errno=True)
    missing = []
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        missing.append(f"this kernel ({platform.release()}) has no Landlock")
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        missing.append(f"no seccomp filter for {machine}")
    _call(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if version >= 1:
        _restrict(libc, version, writable, [*_program_folders(), *readable])
    has_seccomp = machine in _AUDIT_ARCH and _filter_calls(libc, machine)
    if machine in _AUDIT_ARCH and not has_seccomp:
        missing.append("this kernel has no seccomp filters")
    return Confinement(files=version >= 1, network=has_seccomp, missing=tuple(missing))


def _program_folders() -> list[Path]:
    """Where Python loads modules from when it first needs them: its own folders and ours, not the working folder."""
    paths = sysconfig.get_paths()
    names = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return [*map(Path, (*sorted(names), *_LIBRARIES, *_KERNEL_FILES)), ROOT / "stream_jobs"]


def _restrict(libc: ctypes.CDLL, version: int, writable: Iterable[Path], readable: Iterable[Path]) -> None:
    files = (1 << _FILES_BY_ABI[min(version, len(_FILES_BY_ABI) - 1)]) - 1
    attributes = struct.pack("QQQ", files, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(libc.syscall(_CREATE_RULESET, attributes, size, 0), "landlock_create_ruleset")
    try:
        for path in readable:
            if path.exists():
                _allow(libc, ruleset, path, files & _READ)
        for path in writable:
            _allow(libc, ruleset, path, files & ~1 & ~_IOCTL_DEV)  # all but executing and devices
        _call(libc.syscall(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    handle = os.open(path, _O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            access &= _OF_A_FILE
        rule = struct.pack("=Qi", access, handle)
        _call(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0), f"landlock_add_rule({path})")
    finally:
        if not path.is_relative_to("/proc"):  # whose entries, and rules on them, the kernel forgets when none is open
            os.close(handle)


def _filter_calls(libc: ctypes.CDLL, machine: str) -> bool:
    """Refuse some system calls with EACCES. False where the kernel has no filters."""
    calls = _REFUSED_CALLS[machine]
    program = [(_LOAD_WORD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]), (_RETURN, 0, 0, _REFUSE)]
    program += [(_LOAD_WORD, 0, 0, 0)]
    # A jump counts the instructions it leaps over: to the last one, which refuses.
    program += [(_JUMP_AT_LEAST, len(calls) + 1, 0, _X32_BIT)]
    program += [(_JUMP_EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer)))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, filters, 0, 0) == 0:
        return True
    if ctypes.get_errno() in (errno.EINVAL, errno.ENOSYS):
        return False
    _call(-1, "seccomp")
    return False


def _call(result: int, what: str) -> int:
    if result < 0:
        raise ConfinementError(f"the kernel refuses to confine the store: {what}: {os.strerror(ctypes.get_errno())}")
    return result
