"""A pytest plugin: fixtures and a marker to assert that code holds or releases the GIL.

pytest imports this module in every run in an environment that has gildemo installed, so it imports
the rest of gildemo only when a fixture or the marker is used.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gildemo import GilMonitor


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "releases_gil(at_most=0.1): fail the test if it holds the GIL for more than this fraction "
        "of its time (gildemo)",
    )


@pytest.fixture
def assert_releases_gil() -> Callable[..., Any]:
    """gildemo.testing.assert_releases_gil(). Skips the test if the GIL can't be monitored."""
    _skip_without_monitor()
    from gildemo import testing

    return testing.assert_releases_gil


@pytest.fixture
def assert_holds_gil() -> Callable[..., Any]:
    """gildemo.testing.assert_holds_gil(). Skips the test if the GIL can't be monitored."""
    _skip_without_monitor()
    from gildemo import testing

    return testing.assert_holds_gil


@pytest.fixture
def gil_monitor() -> Iterator[GilMonitor]:
    """A gildemo.GilMonitor that runs during the test; use its snapshot()."""
    _skip_without_monitor()
    from gildemo import GilMonitor

    with GilMonitor() as monitor:
        yield monitor


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run the body of a marked test under a monitor."""
    marker = pyfuncitem.get_closest_marker("releases_gil")
    if marker is None:
        return (yield)
    _skip_without_monitor()
    from gildemo import testing

    with testing.releasing_gil(pyfuncitem.name, *marker.args, **marker.kwargs):
        return (yield)


def _skip_without_monitor() -> None:
    """Skip the test if the GIL can't be monitored here. It must not pass silently."""
    from gildemo import GilMonitor, GilMonitorUnavailable

    try:
        with GilMonitor():
            pass
    except GilMonitorUnavailable as error:
        pytest.skip(str(error))
