"""The exit statuses of the commands. `watch` exits with the status of the program instead."""

from __future__ import annotations

DONE = 0
FAILED = 1  # the measured code failed, or a file could not be written
USAGE = 2  # the command line is wrong
UNEXPECTED = 3  # the verdict is not the one that --expect names
INTERRUPTED = 130  # by Ctrl-C


def of_signal(signum: int) -> int:
    """Return the status of a program that a signal ended, as a shell reports it."""
    return 128 + signum


class TerminatedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived: an interruption with an exit status of its own."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.exit_status = of_signal(signum)


# For help texts.
EXPLAINED = """\
exit status: 0 done; 1 the measured code failed, or a file could not be
written; 2 bad usage; 3 the verdict is not the one that --expect names;
130 interrupted; 128+N ended by signal N"""
