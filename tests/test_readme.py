"""What the README shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers import gil_enabled, run_python

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)

# On a busy machine, a clear verdict takes many rounds. Here any verdict will do.
QUICKLY = """
import functools, gildemo
gildemo.compare = functools.partial(gildemo.compare, min_time=0, max_time=0)
"""


@pytest.mark.skipif(not gil_enabled(), reason="the monitor's snippet needs a GIL")
def test_the_snippets_run_one_after_another() -> None:
    snippets = [block for block in BLOCKS if "def test_" not in block]
    assert len(snippets) >= 3
    run_python("\n".join([QUICKLY, *snippets]))


def test_the_tests_shown_are_tests() -> None:
    (shown,) = [block for block in BLOCKS if "def test_" in block]
    compile(shown, "README.md", "exec")
