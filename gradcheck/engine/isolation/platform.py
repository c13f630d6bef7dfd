"""The system's part of isolation: limits on a process, and an end to it with everything that it started.

POSIX systems have a warden: a process between ours and the worker that outlives whatever the rule does, ends all of
its descendants (on Linux also daemons that left their session), and tells how the worker ended. Elsewhere, as on
Windows, a worker is ended alone, and memory is not limited.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

POSIX = hasattr(os, "fork")
MEMORY = 256
"""Stands for a wait status where the worker and its children together used up their memory."""
_PATIENCE = 2.0
"""Seconds in which descendants are killed again and again before the warden gives up."""


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor of the process that no other process can take over; None where there are none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def kill(pid: int, pidfd: int | None) -> None:
    """Kill a child that has not been waited for; by its descriptor where there is one.

    Raises:
        ValueError: the id is no child's; 0 is this process with its whole group.
    """
    if pid <= 0:
        raise ValueError(f"a process id greater than 0 was wanted; got {pid}")
    with contextlib.suppress(OSError):
        if pidfd is not None:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)


def supervise(control: int, memory: int | None, work: Callable[[], object]) -> NoReturn:
    """Run `work` in a child of this process, a warden, and end both.

    Args:
        control: socket to the process that is served: a byte from it, or its end, ends the child. The child's wait
            status, as text, is written to it.
        memory: bytes that the child's own children may hold together; None for no limit.
        work: run in the child, whose exit status is 0 where it returns.
    """
    _ignore_signals()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    orphaned, tell = os.pipe()  # a warden that died with its parent could end nothing
    parent = os.getppid()

    def tell_orphaned(*_: object) -> None:
        if os.getppid() != parent:  # Linux sends the signal where the parent's thread ends, too
            os.write(tell, b"o")

    signal.signal(signal.SIGUSR1, tell_orphaned)
    die_with_parent(signal.SIGUSR1)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            for descriptor in (control, orphaned, tell):
                os.close(descriptor)
            for number in (signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            die_with_parent()
            work()
            os._exit(0)
        os._exit(1)
    told = _watch(child, (control, orphaned), memory)
    with contextlib.suppress(OSError):
        os.write(control, f"{told}\n".encode())
    _end_descendants(child)
    os._exit(0)


def _ignore_signals() -> None:
    with contextlib.suppress(OSError):
        os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _watch(child: int, ends: tuple[int, ...], memory: int | None) -> int:
    """Wait until the child ends, is to end, or takes too much; return its wait status without reaping it."""
    descriptor = open_pidfd(child)
    watched = [*ends] if descriptor is None else [*ends, descriptor]
    pause = 0.02 if descriptor is None else 0.25
    while True:
        ready, _, _ = select.select(watched, [], [], pause)
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None:
            return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        if any(end in ready for end in ends):
            return -signal.SIGKILL
        if memory is not None and sum(map(_resident, _descendants(child))) > memory:
            return MEMORY


def _end_descendants(child: int) -> None:
    """Kill the child's process group while its leader's id is still taken, then all that are left to this process."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            end(child, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for pid in _descendants(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.002)
        except ChildProcessError:
            return


def _descendants(pid: int) -> Iterator[int]:
    """Yield the processes that descend from this one, where the system lists them."""
    with contextlib.suppress(OSError, ValueError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                for each in map(int, file.read().split()):
                    yield each
                    yield from _descendants(each)


def _resident(pid: int) -> int:
    """Return the bytes of memory that a process holds alone; what a fork still shares is its parent's."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            lines = [line.split() for line in file]
        return sum(1024 * int(line[1]) for line in lines if line[0] == "Private_Dirty:")
    return 0


_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value)


def die_with_parent(number: int = signal.SIGKILL if POSIX else 0) -> None:
    """Have this process sent a signal, which kills it unless another is named, once the one that started it is gone."""
    parent = os.getppid()
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(0)
    else:
        threading.Thread(target=_watch_parent, args=(parent, number), daemon=True).start()


def _watch_parent(parent: int, number: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), number)


def cut_off() -> None:
    """Take this process from the terminal, and from the signals that are meant for the one that started it."""
    if POSIX:
        with contextlib.suppress(OSError):
            os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.disable()
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        nothing = os.open(os.devnull, mode)
        os.dup2(nothing, descriptor)
        if nothing != descriptor:
            os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)


def limit_memory(memory: int) -> None:
    """Allow no more than `memory` bytes beyond what is held now, where the system has such a limit; no core files."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError, IndexError):
        # RLIMIT_DATA counts what can be written, not, as RLIMIT_AS does, what libraries reserve and never use.
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[5]) * resource.getpagesize()
        most = held + int(min(memory, 2**62))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
