"""What a measurement raises."""

from __future__ import annotations

import concurrent.futures

from gildemo._comparison.measurement import TimedOutError
from gildemo.executors.worker import describe, picklable_error


class MeasurementError(RuntimeError):
    """A task could not be measured under an executor; `__cause__` is what happened there."""

    def __init__(self, executor: str, task: str, cause: BaseException, trace: str = "") -> None:
        super().__init__(f"{task!r} failed under executor {executor!r}: {_explain(cause)}")
        self.__cause__ = cause
        self.executor = executor  # its name
        self.task = task  # its name
        self.trace = trace  # the traceback of the task as text, or "" if it did not raise

    def __reduce__(self) -> tuple[object, ...]:
        assert self.__cause__ is not None
        cause = picklable_error(self.__cause__)
        # The message is kept as well, because the original cause may not be picklable.
        state = {**self.__dict__, "args": self.args}
        return type(self), (self.executor, self.task, cause, self.trace), state


class LeftRunningError(RuntimeError):
    """A task left something running that would distort all later measurements."""


def _explain(error: BaseException) -> str:
    if isinstance(error, concurrent.futures.BrokenExecutor):
        return (
            "a worker ended before its task did: was it killed, did it call os._exit(), or does "
            "the script lack `if __name__ == '__main__':`?"
        )
    if isinstance(error, TimedOutError):
        return str(error)
    return describe(error)
