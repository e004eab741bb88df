"""How often `gildemo compare` gives the right verdict on code whose verdict is known.

Prints how often it gave each verdict. Asserts nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from benchmarks.burners import burners
from benchmarks.paired import Benchmark
from gildemo import Comparison
from helpers import gil_enabled

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not gil_enabled(), reason="without a GIL, all are for threads"),
]

TRIALS = int(os.environ.get("GILDEMO_TRIALS", "10"))

# The arguments of the command, and the right verdict.
CASES = {
    ("-s", "import zlib; d = bytes(10**7)", "zlib.compress(d)"): "threads",
    ("sum(range(10**6))",): "processes",
    ("pass",): "neither",
    ("-s", "import time", "time.sleep(.01)"): "threads",
}


def answer(arguments: tuple[str, ...]) -> Comparison:
    command = [sys.executable, "-m", "gildemo", "compare", "--json", "-", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Comparison.from_json(done.stdout)


@pytest.mark.parametrize("number", [0, 1], ids=["alone", "1 burner"])
def test_verdicts(benchmark: Benchmark, capsys: pytest.CaptureFixture[str], number: int) -> None:
    def table() -> None:
        with capsys.disabled(), burners(number):
            title = f"{number} other busy process" if number else "alone"
            print(f"\n\nanswers of gildemo compare, {title}, {TRIALS} trials each")
            for arguments, truth in CASES.items():
                found = [answer(arguments) for _ in range(TRIALS)]
                answers = Counter(c.verdict.value for c in found)
                given = ", ".join(f"{n} x {what}" for what, n in answers.most_common())
                rounds = sorted(c.rounds for c in found)
                print(f"{arguments[-1]:20} {truth:10} {given}; rounds {rounds}", flush=True)

    benchmark.pedantic(table, rounds=1)
