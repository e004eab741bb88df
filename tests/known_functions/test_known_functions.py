"""The monitor's verdict on calls, compared with what CPython's source says."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from helpers import retried
from known_functions import document
from known_functions.known import AT_LEAST, AT_MOST, RELEASES, Known
from known_functions.table import KNOWN


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
@retried
def test_verdict_is_the_known_one(
    known: Known,
    assert_releases_gil: Callable[..., Any],
    assert_holds_gil: Callable[..., Any],
    children: Callable[[], set[int]],
) -> None:
    if reason := known.missing():
        pytest.skip(reason)
    process = psutil.Process()
    before = threading.active_count(), process.num_fds(), children()
    with known.prepared() as call:
        if known.expected_in(sys.version_info[:2]) == RELEASES:
            assert_releases_gil(call, at_most=AT_MOST)
        else:
            assert_holds_gil(call, at_least=AT_LEAST)
    assert (threading.active_count(), process.num_fds(), children()) == before


def test_names_are_unique() -> None:
    assert len({known.name for known in KNOWN}) == len(KNOWN)


@pytest.mark.parametrize("held", [0.11, 0.5, 0.89])
def test_in_between_is_no_verdict(held: float) -> None:
    assert document.verdict(held) is None


def test_document_is_rendered_from_its_figures() -> None:
    assert document.DOCUMENT.read_text() == document.render(document.read())


@pytest.mark.parametrize("version", document.read())
def test_published_figures_agree_with_the_table(version: str) -> None:
    held = document.read()[version]["held"]
    major, minor = map(int, version.split("."))
    missing = {known.name for known in KNOWN if known.new_in <= (major, minor)} - set(held)
    assert not missing
    assert not set(held) - {known.name for known in KNOWN}
    for known in KNOWN:
        if known.name in held:
            assert document.verdict(held[known.name]) == known.expected_in((major, minor)), known
