"""Signals that ask to stop, and workers that end with their parent."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from foundation import signals
from foundation.import_closure import PACKAGES_ROOT
from foundation.signals import end_on_signal, run_child, stop_on_signal, worker_start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_acts_as_before(number: signal.Signals) -> None:
    came: list[int] = []
    before = signal.signal(number, lambda at, frame: came.append(at))
    try:
        with stop_on_signal() as stop:
            os.kill(os.getpid(), number)
            assert came.pop() == number  # nothing could be saved yet
            stop.answer()
            assert not stop()
            os.kill(os.getpid(), number)
            assert stop()
            assert stop.exit_code == 128 + number
            assert came == []
            os.kill(os.getpid(), number)
            assert came == [number]
        os.kill(os.getpid(), number)
        assert came == [number, number]
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_of_either_kind_acts_as_before(
    first: signal.Signals, second: signal.Signals
) -> None:
    """And leaves the exit code to the first."""
    came: list[int] = []
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda at, frame: came.append(at)) for kind in kinds]
    try:
        with stop_on_signal() as stop:
            assert stop.exit_code == 130  # of whoever asks though none came
            stop.answer()
            os.kill(os.getpid(), first)
            assert (came, stop.signal) == ([], first)
            os.kill(os.getpid(), second)
            assert (came, stop.signal, stop.exit_code) == ([second], first, 128 + first)
            stop.answer()  # which is done once
            os.kill(os.getpid(), first)
            assert came == [second, first]
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


def test_what_waits_for_signals_is_closed_and_ends_with_the_work() -> None:
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        before = set(threading.enumerate())
        with end_on_signal():
            (follower,) = set(threading.enumerate()) - before
        gc.collect()
    assert [str(one.message) for one in left] == []
    follower.join(timeout=60)
    assert not follower.is_alive()


ENDING = """
import sys, time
from foundation.errors import run_command
def command():
    try:
        print("begun", flush=True)
        {}
    finally:
        print("cleaned")
run_command(command)
"""


@pytest.mark.costly(keep=4)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("work", "said"),
    [
        ("time.sleep(60)", "cleaned\n"),
        # A library makes another error of what the handler raises.
        (
            "exec('try:\\n time.sleep(60)\\nexcept BaseException as e:\\n raise ValueError from e')",
            "cleaned\n",
        ),
        # A callback swallows what a handler raises.
        ("type('A', (), {'__del__': lambda self: time.sleep(60)})(); time.sleep(60)", ""),
        # A main thread that is busy in C answers no signal.
        ("__import__('hashlib').pbkdf2_hmac('sha256', b'a', b'b', 2**31 - 1)", ""),
    ],
)
def test_a_command_ends_soon_and_without_a_traceback(
    number: signal.Signals, work: str, said: str
) -> None:
    if said == "" and number == signal.SIGTERM:
        pytest.skip("the same as SIGINT")
    process = subprocess.Popen(
        [sys.executable, "-c", ENDING.format(work)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    if not said:
        time.sleep(0.5)  # so that it is in C
    process.send_signal(number)
    out, errors = process.communicate(timeout=5)
    assert (process.returncode, errors) == (128 + number, "")
    assert out == said


WORKER = """
import multiprocessing, time
from foundation.signals import end_with_parent
def work(queue):
    end_with_parent()
    queue.put(multiprocessing.current_process().pid)
    time.sleep(60)
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    context.Process(target=work, args=(queue,)).start()
    print(queue.get(), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
def test_a_worker_ends_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(500):
        if not is_running(worker):
            return
        time.sleep(0.01)
    pytest.fail("the worker lives on")


SLOW = "import os, time\nopen(os.environ['TOLD'], 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
IMPORTING = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from foundation.signals import worker_start
def start():
    pass
start.__module__, start.__qualname__ = "slow_to_import", "start"
if __name__ == "__main__":
    import sys, types
    sys.modules["slow_to_import"] = module = types.ModuleType("slow_to_import")
    module.start = start
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, initializer=worker_start(start)) as pool:
        pool.submit(print).result()
"""


def test_a_worker_that_still_imports_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "slow_to_import.py").write_text(SLOW)
    (tmp_path / "parent.py").write_text(IMPORTING)
    told = tmp_path / "told"
    search = os.pathsep.join((str(tmp_path), str(PACKAGES_ROOT)))
    around = {**os.environ, "PYTHONPATH": search, "TOLD": str(told)}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], env=around)
    until = time.monotonic() + 60
    while not (told.is_file() and told.read_text()) and time.monotonic() < until:
        time.sleep(0.01)
    worker = int(told.read_text())
    assert is_running(worker)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 5
    while is_running(worker) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_running(worker)


def is_running(process: int) -> bool:
    try:
        with Path(f"/proc/{process}/stat").open() as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


STARTING = """
import subprocess, sys
from foundation.signals import run_child
command = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
run_child(command, capture=False) if sys.argv[1] == "ours" else subprocess.run(command)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system ends no children elsewhere")
@pytest.mark.parametrize(("how", "lives"), [("ours", False), ("plain", True)])
def test_a_child_ends_with_a_parent_that_is_killed(how: str, lives: bool) -> None:
    """The plain child outlives its parent, which shows that the other was ended."""
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTING, how],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until = time.monotonic() + (0.5 if lives else 20)
    while time.monotonic() < until and is_running(child):
        time.sleep(0.02)
    try:
        assert is_running(child) == lives
    finally:
        if is_running(child):
            os.kill(child, signal.SIGKILL)
        parent.stdout.close()


def test_a_child_is_run_as_it_was_asked(tmp_path: Path) -> None:
    program = "import os, sys; print(os.getcwd(), os.environ['A'], sys.argv[1:]); sys.exit(3)"
    command = [sys.executable, "-c", program, "x y", "--", "z"]
    done = run_child(command, cwd=tmp_path, env={**os.environ, "A": "b"})
    assert (done.returncode, done.stdout) == (3, f"{tmp_path} b ['x y', '--', 'z']\n")
    killed = run_child([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(subprocess.TimeoutExpired):
        run_child([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3)


@pytest.mark.skipif(sys.platform != "linux", reason="limits are set there alone")
def test_a_child_has_its_limits_and_a_missing_program_is_said() -> None:
    program = "import resource; print(resource.getrlimit(resource.RLIMIT_CPU)); x = bytearray(1 << 32)"
    limits = {resource.RLIMIT_AS: 1 << 31, resource.RLIMIT_CPU: 7}
    done = run_child([sys.executable, "-c", program], limits=limits)
    assert done.stdout == "(7, 7)\n"
    assert "MemoryError" in done.stderr
    gone = run_child(["no-such-program"])
    assert (gone.returncode, gone.stderr) == (1, "no-such-program: No such file or directory\n")


def test_what_a_child_prints_is_let_through_where_it_is_not_kept(
    capfd: pytest.CaptureFixture[str],
) -> None:
    program = "import sys; print('out'); print('err', file=sys.stderr)"
    done = run_child([sys.executable, "-c", program], capture=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, None, None)
    assert capfd.readouterr() == ("out\n", "err\n")
    done = run_child([sys.executable, "-c", program])
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert capfd.readouterr() == ("", "")


def state() -> tuple[object, ...]:
    """Return all that is set up for signals."""
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    kinds = (signal.SIGINT, signal.SIGTERM)
    return wakeup, sys.unraisablehook, signals._patient.is_set(), *map(signal.getsignal, kinds)


def leave_by_an_error() -> None:
    with end_on_signal():
        raise KeyError("mine")


def test_afterwards_all_is_as_it_was() -> None:
    """Whether or not a signal came, and where the work raised."""
    before = state()
    with end_on_signal():
        within = state()
        assert all(one != other for one, other in zip(within[:2], before[:2], strict=True))
        assert within[2] is False
        assert all(one != other for one, other in zip(within[3:], before[3:], strict=True))
        with stop_on_signal() as stop:
            assert state() == within
            stop.answer()
            assert state()[:3] == (*within[:2], True)  # the other thread leaves it to the work
            assert all(one != other for one, other in zip(state()[3:], within[3:], strict=True))
        assert state() == within
        with stop_on_signal() as stop:
            stop.answer()
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop()
        assert state() == within
    assert state() == before
    with pytest.raises(KeyError, match="mine"):
        leave_by_an_error()
    assert state() == before


def test_what_is_raised_where_nobody_can_catch_it_is_told_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But for the end that a signal asked for."""
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda about: told.append(about.exc_value))

    class Raises:
        def __init__(self, error: BaseException) -> None:
            self.error = error

        def __del__(self) -> None:
            raise self.error

    errors = [KeyError("first"), SystemExit(130), ValueError("last")]
    with end_on_signal():
        for error in errors:
            Raises(error)
    assert told == [errors[0], errors[2]]


def test_a_worker_watches_its_parent_before_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    seen: list[bool] = []
    monkeypatch.setattr(signals, "end_with_parent", lambda: seen.append(one.exists()))
    begin = worker_start(os.rename, str(one), str(other))
    assert (seen, one.exists()) == ([], True)
    begin()
    assert (seen, one.exists(), other.exists()) == ([True], False, True)


def test_outside_the_main_thread_nothing_is_changed() -> None:
    before, found = state(), []

    def work() -> None:
        with end_on_signal(), stop_on_signal() as stop:
            stop.answer()
            found.append([signal.getsignal(signal.SIGINT), sys.unraisablehook, stop(), stop.exit_code])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [[before[3], before[1], False, 130]]
    assert state() == before


def test_a_signal_that_was_answered_ends_nothing_when_the_work_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though the other thread reads of it later; the next signal is no request's any more."""
    ended: list[int] = []
    monkeypatch.setattr(signals, "GRACE", 0.0)
    monkeypatch.setattr(signals.os, "_exit", ended.append)
    interval = sys.getswitchinterval()

    def ask() -> None:
        sys.setswitchinterval(60)  # the other thread waits until this one does
        try:
            with stop_on_signal() as stop:
                stop.answer()
                os.kill(os.getpid(), signal.SIGTERM)
                assert stop()
        finally:
            sys.setswitchinterval(interval)
        time.sleep(0.1)

    def work() -> None:
        with end_on_signal():
            ask()
            ask()
            assert ended == []
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)

    with pytest.raises(SystemExit):
        work()
    assert 130 in ended
