"""The plugin that the package registers with pytest, in pytest runs of its own."""

from __future__ import annotations

import sys

import pytest

from helpers import gil_enabled

pytest_plugins = ["pytester"]

SUITE = """
    import time
    import gildemo
    import pytest

    def test_releases(assert_releases_gil):
        assert assert_releases_gil(time.sleep, 0.02) is None

    def test_does_not_release(assert_releases_gil):
        assert_releases_gil(gildemo.duty_cycle, 0.02)

    def test_holds(assert_holds_gil):
        assert_holds_gil(gildemo.duty_cycle, 0.02)

    def test_monitor(gil_monitor):
        gildemo.duty_cycle(0.05)
        assert gil_monitor.snapshot().held > 0.5

    @pytest.mark.releases_gil
    def test_marked_and_releases():
        gildemo.spin(100_000_000)

    @pytest.mark.releases_gil(at_most=0.8)
    def test_marked_with_a_limit():
        gildemo.duty_cycle(0.1, 0.1)

    @pytest.mark.releases_gil(at_most=0.2)
    def test_marked_and_holds():
        gildemo.duty_cycle(0.1, 0.1)

    @pytest.mark.releases_gil
    def test_marked_and_too_short():
        gildemo.duty_cycle(0.0)

    @pytest.mark.releases_gil
    def test_marked_and_fails_by_itself():
        assert 1 == 2
"""
FAIL = (
    "test_does_not_release",
    "test_marked_and_holds",
    "test_marked_and_too_short",
    "test_marked_and_fails_by_itself",
)


@pytest.mark.skipif(not gil_enabled(), reason="this Python runs without the GIL")
def test_fixtures_and_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("--strict-markers")
    result.assert_outcomes(passed=5, failed=4)
    for name in FAIL:
        result.stdout.fnmatch_lines([f"*FAILED*{name}*"])
    result.stdout.fnmatch_lines(["*held the GIL for*at most 10% is allowed*"])
    result.stdout.fnmatch_lines(["*MainThread *█*"])
    result.stdout.fnmatch_lines(
        ["*test_marked_and_too_short*too short to tell: make the body take longer*"]
    )


@pytest.mark.skipif(gil_enabled(), reason="there is a GIL to watch")
def test_without_a_gil_it_skips_and_says_why(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=9)
    result.stdout.fnmatch_lines(["*this Python runs without the GIL*"])


def test_who_does_not_use_it_pays_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            assert "gildemo.pytest_plugin" in sys.modules
            loaded = {name for name in sys.modules if name.startswith("gildemo.")}
            assert loaded <= {"gildemo._core", "gildemo.pytest_plugin"}
            assert "rich" not in sys.modules
        """
    )
    assert pytester.runpytest_subprocess().ret == 0
    assert sys.modules.get("gildemo.pytest_plugin") is not None
