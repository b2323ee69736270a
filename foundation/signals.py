"""Stop on a signal where work can be saved, end soon where not, and end workers with their parent."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what schedulers and containers send before they kill."""


class StopRequest:
    """Whether a signal has asked the process to save and leave.

    Attributes:
        signal: its number, or None.
        is_known: the thread that ends what takes too long has read of that signal.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.is_known = False
        self.install: Callable[[], None] | None = None

    def answer(self) -> None:
        """Answer signals from now on; called again, do nothing."""
        if self.install is not None:
            self.install()
            self.install = None

    def __call__(self) -> bool:
        """Return whether a signal has come."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """The code that a shell expects of a process that a signal ended: 130 or 143."""
        return 128 + (self.signal or signal.SIGINT)


GRACE = 2.0
"""Seconds that a process has to clean up after a signal, before it is ended as it is."""
_patient = threading.Event()
"""Set while the work at hand answers signals itself."""
_answering: list[StopRequest] = []
"""The request that answers signals, or answered them last."""


@contextmanager
def end_on_signal() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise ``SystemExit``, and end the process where that takes too long.

    A main thread that compiles answers no signal until it is done, so another thread is told by the
    system too. Outside the main thread, which alone receives signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told, tell = socket.socketpair()
    tell.setblocking(False)
    codes: list[int] = []

    def end(number: int, frame: object) -> None:
        codes.append(128 + number)
        raise SystemExit(128 + number)

    def follow() -> None:
        with told:
            while number := told.recv(1):
                if number[0] in SIGNALS and not _is_answered():
                    time.sleep(GRACE)
                    os._exit(128 + number[0])

    def unraisable(about: sys.UnraisableHookArgs) -> None:
        # Raised within a callback that swallows it: then the other thread ends the process.
        if not isinstance(about.exc_value, SystemExit):
            hook(about)

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    previous = {number: signal.signal(number, end) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    except BaseException:
        # A library may have turned what the handler raised into an error of its own. All is cleaned up,
        # and taking apart a library that compiles can crash.
        if codes:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(codes[0])
        raise
    finally:
        signal.set_wakeup_fd(wakeup)
        sys.unraisablehook = hook
        for number, handler in previous.items():
            signal.signal(number, handler)
        tell.close()  # the thread reads the end, and ends, unless it waits for the process to do so
        follower.join(timeout=0.5)


def _is_answered() -> bool:
    """Return whether the work at hand answers the signal that was just read of, or has answered it.

    A request takes one signal; its work may be over before the other thread reads of that.
    """
    patient = _patient.is_set()
    for request in _answering:
        if not request.is_known and (patient or request.signal is not None):
            request.is_known = True
            return True
    return patient


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turn a SIGINT or SIGTERM into a request to stop, once the work says that it can be saved.

    Before :meth:`StopRequest.answer`, and from a second signal on, signals act as they did before.
    Outside the main thread, which alone receives signals, nothing is changed.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        _patient.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(number: int, frame: object) -> None:
        request.signal = number
        for one, handler in previous.items():
            signal.signal(one, handler)

    def install() -> None:
        _answering[:] = [request]
        _patient.set()
        for number in SIGNALS:
            signal.signal(number, handle)

    request.install = install
    try:
        yield request
    finally:
        restore()


def end_with_parent() -> None:
    """End this process as soon as its parent dies, however that dies; for the start of a worker."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def closing_pool(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Shut a pool of new processes down with the block, none of which outlives it.

    An error that ends the block ends what they do too, since nobody waits for their work any more.

    Args:
        pool: to which nothing was given yet.
    """
    others = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def worker_start(start: Callable[..., None], *arguments: object) -> Callable[[], None]:
    """Return the first thing that a worker does: it watches its parent, then calls a function.

    A new process imports what the function needs before it can call it, which takes seconds. It reads
    the function only once it watches its parent, so it ends with that while it imports, too.

    Args:
        start: for the start of a worker, a function of a module.
        arguments: what to call it with.
    """
    return partial(_watch_and_call, pickle.dumps((start, arguments)))


def _watch_and_call(stored: bytes) -> None:
    end_with_parent()
    start, arguments = pickle.loads(stored)
    start(*arguments)


_START = """
import ctypes, json, os, resource, signal, sys
parent, limits, *command = sys.argv[1:]
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, which outlives exec
if os.getppid() != int(parent):
    sys.exit(1)
for kind, most in json.loads(limits):
    resource.setrlimit(kind, (most, most))
try:
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]}: {error.strerror}")
"""
"""What runs in a child before its program takes its place; in a fork of this process it could hang on a
lock that one of JAX's threads held."""


def run_child(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    limits: Mapping[int, int] | None = None,
    capture: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; it is ended with this process, however that ends.

    On Linux the system kills the child as soon as the thread that started it is gone, by SIGKILL or
    anything else. Elsewhere a child ends only where Python still gets to end it.

    Args:
        command: the program and its arguments.
        cwd: its folder, by default this process's.
        env: its environment, by default this process's.
        timeout: seconds, after which it is killed.
        limits: most of what the system grants it, by ``resource.RLIMIT_...`` (Linux alone).
        capture: keep what it prints, instead of letting it through.

    Returns:
        Its exit code, minus the signal where one ended it, and what it printed.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    whole = list(command)
    if sys.platform == "linux":
        asked = json.dumps(list((limits or {}).items()))
        whole = [sys.executable, "-I", "-S", "-c", _START, str(os.getpid()), asked, *whole]
    return subprocess.run(
        whole, cwd=cwd, env=env, timeout=timeout, capture_output=capture, text=True, check=False
    )
