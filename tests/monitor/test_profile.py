"""The sites of profiles made by hand."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import astuple
from random import Random
from typing import Any

import pytest

from gildemo.monitor import GilRecord
from gildemo.monitor.profile import Frame, Node, Profile, Site


def frame(function: str, line: int, column: int = 0, file: str = "a.py") -> Frame:
    return Frame(function, file, line // 10 * 10, line, line, column, column + 5)


MAIN_1 = frame("main", 11)
MAIN_2 = frame("main", 12)
LOOP = frame("loop", 21)
# Two calls on one line.
CALL_1 = frame("calls", 31, 4)
CALL_2 = frame("calls", 31, 14)
RECURSIVE = frame("recursive", 41)
FRAMES = (MAIN_1, MAIN_2, LOOP, CALL_1, CALL_2, RECURSIVE)


def node(parent: int | None, frame: Frame | None, held: int = 0, caused: int = 0) -> Node:
    """A node with so many samples of 1 ms each."""
    index = None if frame is None else FRAMES.index(frame)

    thread = 0 if parent is None else None
    return Node(parent, index, thread, held / 1000, caused / 1000, held, held * 1e-6)


PROFILE = Profile(
    frames=FRAMES,
    nodes=(
        node(None, None, 7, 70),
        node(0, MAIN_1, 1, 2),
        node(1, LOOP, 20, 60),
        node(0, MAIN_2, 2),
        node(3, CALL_1, 30, 30),
        node(3, CALL_2, 40),
    ),
    stacks=100,
)


def by_line(profile: Profile) -> dict[tuple[str, int | None], Site]:
    return {(site.function, site.line): site for site in profile.sites()}


def test_by_line() -> None:
    sites = PROFILE.sites()
    assert [(site.function, site.line) for site in sites] == [
        ("calls", 31),
        ("loop", 21),
        ("main", 12),
        ("main", 11),
    ]
    assert [site.held_self for site in sites] == pytest.approx([0.070, 0.020, 0.002, 0.001])
    assert [site.held_total for site in sites] == pytest.approx([0.070, 0.020, 0.072, 0.021])
    assert [site.caused_self for site in sites] == pytest.approx([0.030, 0.060, 0.0, 0.002])
    assert [site.caused_total for site in sites] == pytest.approx([0.030, 0.060, 0.030, 0.062])
    assert {(site.end_line, site.column, site.end_column) for site in sites} == {(None, None, None)}


@pytest.mark.parametrize("seed", range(20))
def test_totals_count_each_stack_once(seed: int) -> None:
    random = Random(seed)
    nodes = [node(None, None, 1)]
    for _ in range(60):
        parent = random.randrange(len(nodes))
        nodes.append(node(parent, random.choice(FRAMES), random.randrange(3), random.randrange(9)))
    expected: defaultdict[tuple[str, int | None], float] = defaultdict(float)
    for found in nodes[1:]:
        stack = set()
        at = found
        while at.frame is not None and at.parent is not None:
            stack.add((FRAMES[at.frame].function, FRAMES[at.frame].line))
            at = nodes[at.parent]
        for place in stack if found.samples else ():
            expected[place] += found.held
    sites = by_line(Profile(FRAMES, tuple(nodes)))
    assert {place: site.held_total for place, site in sites.items()} == pytest.approx(expected)


def test_by_call() -> None:
    calls = [site for site in PROFILE.sites(by="call") if site.function == "calls"]
    assert [astuple(site)[:7] for site in calls] == [
        ("calls", "a.py", 31, 31, 14, 19, 0.040),
        ("calls", "a.py", 31, 31, 4, 9, 0.030),
    ]


def test_by_function() -> None:
    sites = {site.function: site for site in PROFILE.sites(by="function")}
    assert list(sites) == ["calls", "loop", "main"]
    main = sites["main"]
    assert (main.line, main.end_line, main.column) == (10, None, None)
    assert main.held_self == pytest.approx(0.003)
    assert main.held_total == pytest.approx(0.093)
    assert main.caused_total == pytest.approx(0.092)


def test_by_something_else() -> None:
    with pytest.raises(ValueError, match="'module'"):
        PROFILE.sites(by="module")  # type: ignore[arg-type]


def test_functions_of_one_name_in_two_files() -> None:
    frames = (frame("f", 11), frame("f", 11, file="b.py"))
    nodes = (
        Node(None, 0, 0, 1.0, 0.0, 1, 1.0),
        Node(None, 1, 0, 2.0, 0.0, 1, 4.0),
    )
    sites = Profile(frames, nodes).sites(by="function")
    assert [(site.file, site.held_self) for site in sites] == [("b.py", 2.0), ("a.py", 1.0)]


def test_recursion_counts_once_in_the_total() -> None:
    profile = Profile(
        frames=FRAMES,
        nodes=(
            node(None, None),
            node(0, RECURSIVE, 1, 1),
            node(1, LOOP, 2, 2),
            node(2, RECURSIVE, 4, 4),
            node(3, LOOP, 8, 8),
        ),
    )
    sites = by_line(profile)
    recursive, loop = sites["recursive", 41], sites["loop", 21]
    assert (recursive.held_self, recursive.held_total) == pytest.approx((0.005, 0.015))
    assert (loop.held_self, loop.held_total) == pytest.approx((0.010, 0.014))
    assert (loop.caused_self, loop.caused_total) == pytest.approx((0.010, 0.014))


def test_what_has_no_stack_is_no_site_but_was_held() -> None:
    assert PROFILE.held == pytest.approx(0.100)
    assert sum(site.held_self for site in PROFILE.sites()) == pytest.approx(0.093)


def test_error() -> None:
    calls = PROFILE.sites()[0]
    # 70 of 100 samples of equal weight; the interval of Wilson.
    assert calls.error == pytest.approx(0.1 * 0.0884, rel=0.01)
    # Ten times as many samples.
    more = Profile(
        FRAMES,
        tuple(
            n._replace(held=10 * n.held, squared_weights=10 * n.squared_weights)
            for n in PROFILE.nodes
        ),
    )
    assert more.sites()[0].error / more.held == pytest.approx(0.0283, rel=0.01)


def test_waiting_is_not_known_everywhere() -> None:
    profile = Profile(FRAMES, PROFILE.nodes, waiting_known=False)
    assert {(site.caused_self, site.caused_total) for site in profile.sites()} == {(None, None)}


def test_empty() -> None:
    assert Profile().sites() == ()
    assert Profile().held == 0
    assert Profile(unavailable="no").unavailable == "no"


@pytest.mark.parametrize("profile", [PROFILE, Profile(), Profile(unavailable="no")])
def test_json_round_trip(profile: Profile) -> None:
    text = json.dumps(profile.to_dict())
    assert Profile.from_dict(json.loads(text)) == profile


def test_json_keeps_each_name_once() -> None:
    text = json.dumps(PROFILE.to_dict())
    assert text.count("calls") == 1
    assert text.count("a.py") == 1


def test_json_of_a_newer_version() -> None:
    data = PROFILE.to_dict()
    data["newer"] = 1
    data["frames"] = [[*row, "newer"] for row in data["frames"]]
    data["nodes"] = [[*row, "newer"] for row in data["nodes"]]
    assert Profile.from_dict(data) == PROFILE


@pytest.mark.parametrize(
    "wrong", [{"parent": 1}, {"parent": 9}, {"parent": -1}, {"parent": "0"}, {"frame": len(FRAMES)}]
)
def test_nodes_that_are_no_tree_are_refused(wrong: dict[str, Any]) -> None:
    data = PROFILE.to_dict()
    data["nodes"][1] = list(PROFILE.nodes[1]._replace(**wrong))
    record = {"duration": 1.0, "samples": 1, "held": 1.0, "error": 0.1, "profile": data}
    with pytest.raises(ValueError, match=r"profile must be what Profile.to_dict\(\) returns"):
        GilRecord.from_dict(record)
