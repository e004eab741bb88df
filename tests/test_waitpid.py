"""waitpid(): both variants return and raise what os.waitpid() does."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

import pytest

from gildemo import waitpid
from helpers import SIGNAL_SENDER, Index, Shells, gil_enabled, on_signal, progress_during

pytestmark = pytest.mark.timeout(60)

WaitPid: TypeAlias = Callable[..., tuple[int, int]]
VARIANTS: dict[str, WaitPid] = {
    "holding": partial(waitpid, release_gil=False),
    "releasing": partial(waitpid, release_gil=True),
    "default": waitpid,
}
# The tests have to pass for the function that the variants imitate.
every_wait = pytest.mark.parametrize(
    "wait", [*VARIANTS.values(), os.waitpid], ids=[*VARIANTS, "os"]
)
each_variant = pytest.mark.parametrize("wait", VARIANTS.values(), ids=VARIANTS)


@pytest.fixture
def shells() -> Iterator[Shells]:
    with Shells() as started:
        yield started


@every_wait
@pytest.mark.parametrize("code", [0, 7, 255])
def test_exit_status(wait: WaitPid, code: int, shells: Shells) -> None:
    pid = shells.start(f"exit {code}")
    result = wait(pid, 0)
    assert result == (pid, code << 8)
    assert type(result) is tuple


@every_wait
def test_killed_by_a_signal(wait: WaitPid, shells: Shells) -> None:
    pid = shells.start("read x")
    os.kill(pid, signal.SIGKILL)
    waited, status = wait(pid, 0)
    assert (waited, os.WIFSIGNALED(status), os.WTERMSIG(status)) == (pid, True, signal.SIGKILL)


@every_wait
def test_wnohang(wait: WaitPid, shells: Shells) -> None:
    pid = shells.start("read x; exit 3")
    assert wait(pid, os.WNOHANG) == (0, 0)
    shells.let_go(pid)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert wait(pid, os.WNOHANG) == (pid, 3 << 8)
    with pytest.raises(ChildProcessError):
        wait(pid, os.WNOHANG)


@every_wait
def test_stopped_and_continued(wait: WaitPid, shells: Shells) -> None:
    pid = shells.start("kill -STOP $$; read x; exit 4")
    waited, status = wait(pid, os.WUNTRACED)
    assert (waited, os.WIFSTOPPED(status), os.WSTOPSIG(status)) == (pid, True, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    waited, status = wait(pid, os.WCONTINUED)
    assert (waited, os.WIFCONTINUED(status)) == (pid, True)
    shells.let_go(pid)
    assert wait(pid, 0) == (pid, 4 << 8)


@every_wait
def test_any_child(wait: WaitPid, shells: Shells) -> None:
    running, ending = shells.start("read x"), shells.start("exit 5")
    assert wait(-1, 0) == (ending, 5 << 8)
    assert wait(-1, os.WNOHANG) == (0, 0)
    assert wait(running, os.WNOHANG) == (0, 0)


@every_wait
def test_own_process_group_and_another(wait: WaitPid, shells: Shells) -> None:
    elsewhere = shells.start("exit 6", own_group=True)
    os.waitid(os.P_PID, elsewhere, os.WEXITED | os.WNOWAIT)
    here = shells.start("exit 7")
    assert wait(0, 0) == (here, 7 << 8)
    assert wait(-elsewhere, 0) == (elsewhere, 6 << 8)
    with pytest.raises(ChildProcessError):
        wait(-elsewhere, 0)


@every_wait
@pytest.mark.parametrize(
    ("pid", "options", "error", "code"),
    [
        pytest.param(os.getpid(), 0, ChildProcessError, errno.ECHILD, id="no child"),
        pytest.param(-1, 1 << 30 | 1 << 20, OSError, errno.EINVAL, id="options"),
        pytest.param(-1, -(2**31), None, None, id="negative options"),
        pytest.param(-(2**31), 0, None, None, id="least pid"),
    ],
)
def test_os_errors(
    wait: WaitPid, pid: int, options: int, error: type[OSError] | None, code: int | None
) -> None:
    # Systems differ: os.waitpid() shows what is right on this one.
    with pytest.raises(OSError, match=r".") as reference:
        os.waitpid(pid, options)
    with pytest.raises(OSError, match=r".") as caught:
        wait(pid, options)
    assert (caught.type, caught.value.args) == (reference.type, reference.value.args)
    assert error is None or (caught.type, caught.value.errno) == (error, code)
    assert caught.value.filename is None


OUT_OF_RANGE = [2**31, -(2**31) - 1, 2**40, 2**64 + 1, -(10**30)]


@every_wait
@pytest.mark.parametrize("value", OUT_OF_RANGE)
def test_overflow(wait: WaitPid, value: int) -> None:
    for args in (value, os.WNOHANG), (-1, value), (Index(value), 0):
        with pytest.raises(OverflowError):
            wait(*args)


@every_wait
@pytest.mark.parametrize("value", [1.0, "1", b"1", None, [1]], ids=lambda v: type(v).__name__)
def test_no_int(wait: WaitPid, value: object) -> None:
    for args in (value, 0), (-1, value):
        with pytest.raises(TypeError):
            wait(*args)


@each_variant
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        pytest.param(2**31, OverflowError, f"from .* to .*, not {2**31}", id="2**31"),
        pytest.param(10**5000, OverflowError, "from .*thousands of digits", id="10**5000"),
        pytest.param(1.0, TypeError, "an int, not float", id="float"),
        pytest.param("1", TypeError, "an int, not str", id="str"),
    ],
)
def test_messages_name_the_argument(
    wait: WaitPid, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^pid must be {message}"):
        wait(value, 0)
    with pytest.raises(error, match=f"^options must be {message}"):
        wait(pid=-1, options=value)


# The message of 3.12 and earlier, and that of 3.13 and later.
UNKNOWN = (
    r"('{0}' is an invalid keyword argument for waitpid\(\)"
    r"|waitpid\(\) got an unexpected keyword argument '{0}')"
)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {"options": 0}, r"waitpid\(\) missing required argument 'pid' \(pos 1\)"),
        ((1, 0, True), {}, r"waitpid\(\) takes at most 2 positional arguments \(3 given\)"),
        ((1,), {"flags": 0}, UNKNOWN.format("flags")),
        ((1,), {"pid": 1}, r"argument for waitpid\(\) given by name \('pid'\) and position \(1\)"),
    ],
    ids=["missing", "too many", "unknown", "twice"],
)
def test_bad_calls(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        waitpid(*args, **kwargs)


@every_wait
def test_pid_is_any_int(wait: WaitPid, shells: Shells) -> None:
    pid = shells.start("exit 8")
    assert wait(Index(pid), False) == (pid, 8 << 8)


@each_variant
def test_keywords_and_default_options(wait: WaitPid, shells: Shells) -> None:
    first, second = shells.start("exit 9"), shells.start("exit 10")
    assert wait(pid=first) == (first, 9 << 8)
    assert wait(options=0, pid=second) == (second, 10 << 8)


# The first ones may arrive before the wait has begun, and some while a handler runs.
SIGNALS = 10


@every_wait
def test_the_wait_goes_on_after_a_handler(wait: WaitPid) -> None:
    seen = 0

    def handler() -> None:
        nonlocal seen
        seen += 1
        if seen == SIGNALS:
            children.let_go(pid)

    with on_signal(signal.SIGUSR1, handler), Shells() as children:
        pid = children.start("read x; exit 11")
        children.start(SIGNAL_SENDER)
        assert wait(pid, 0) == (pid, 11 << 8)
        assert seen >= SIGNALS


@every_wait
def test_what_a_handler_raises_ends_the_wait(wait: WaitPid) -> None:
    seen = 0

    def handler() -> None:
        nonlocal seen
        seen += 1
        if seen == SIGNALS:
            raise LookupError("from the handler")

    with on_signal(signal.SIGUSR1, handler), Shells() as children:
        pid = children.start("read x; exit 12")
        children.start(SIGNAL_SENDER)
        with pytest.raises(LookupError, match="from the handler") as caught:
            wait(pid, 0)
        assert caught.value.__context__ is None
        # The child was not reaped.
        assert wait(pid, os.WNOHANG) == (0, 0)


@every_wait
def test_from_another_thread(wait: WaitPid, shells: Shells) -> None:
    pid = shells.start("exit 12")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(wait, pid, 0).result() == (pid, 12 << 8)


@pytest.mark.parametrize("wait", [VARIANTS["releasing"], os.waitpid], ids=["releasing", "os"])
def test_signals_in_another_thread(wait: WaitPid, shells: Shells) -> None:
    """There, EINTR runs no handler: the wait goes on until this thread ends the child."""
    seen = 0

    def handler() -> None:
        nonlocal seen
        seen += 1

    pid = shells.start("exec sleep 20")
    results: list[tuple[int, int]] = []
    worker = threading.Thread(target=lambda: results.append(wait(pid, 0)))
    with on_signal(signal.SIGUSR1, handler):
        worker.start()
        assert worker.ident is not None
        for sent in range(100):
            signal.pthread_kill(worker.ident, signal.SIGUSR1)
            # The handler runs in this thread, but the signal does not wake it.
            while seen <= sent:
                time.sleep(0)
        os.kill(pid, signal.SIGTERM)
        worker.join()
    assert results == [(pid, signal.SIGTERM)]


@every_wait
def test_other_threads_run_if_and_only_if_the_gil_is_released(
    wait: WaitPid, shells: Shells
) -> None:
    pid = 0

    def call() -> None:
        # The child has not ended. This checks it without releasing the GIL.
        assert waitpid(pid, os.WNOHANG, release_gil=False) == (0, 0)
        assert wait(pid, 0) == (pid, 0)

    def lets_others_run_once() -> bool:
        nonlocal pid
        pid = shells.start("sleep 0.5")
        return progress_during(call) > 0

    if wait is VARIANTS["holding"] and gil_enabled():
        assert not lets_others_run_once()
    else:
        assert any(lets_others_run_once() for _ in range(10))


@pytest.mark.parametrize("wait", [VARIANTS["releasing"], os.waitpid], ids=["releasing", "os"])
def test_another_thread_can_end_the_wait(wait: WaitPid, shells: Shells) -> None:
    """If the wait held the GIL, the child would end by itself, with another status."""
    pid = shells.start("exec sleep 20")
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(wait, pid, 0)
        os.kill(pid, signal.SIGTERM)
        assert future.result() == (pid, signal.SIGTERM)
