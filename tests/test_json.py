"""The JSON that gildemo writes, and what it reads: also that of older versions, and bad data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from gildemo import Comparison, Verdict, __version__, _codec, _json
from gildemo._comparison.measurement import Measurement
from gildemo._comparison.summary import Setting, summarize
from gildemo._demo import Demonstration
from gildemo.monitor.record import GilRecord

SCHEMA_1 = Path(__file__).parent / "schema1"


def schema_1(kind: str) -> str:
    """What gildemo 0.1.0 wrote."""
    return (SCHEMA_1 / f"{kind}.json").read_text(encoding="utf-8")


def comparison(**setting: Any) -> Comparison:
    measured = [Measurement(0.01, 0.2, 0.1, sending=1e-4)]
    names = ("serial", "threads", "processes")
    return summarize(dict.fromkeys(names, measured), Setting("task", 2, 1, 2, "3.13.0", **setting))


def test_envelope_tells_what_wrote_it() -> None:
    data = _json.wrap("comparison", {"python": "3.11.0", "task": "task"})
    assert data == {
        "kind": "comparison",
        "schema": 2,
        "gildemo": __version__,
        "python": "3.11.0",
        "task": "task",
    }
    assert _json.read(_json.write(data)) == ("comparison", data)


@pytest.mark.parametrize("kind", _json.KINDS)
def test_each_kind_of_schema_1_is_told_by_its_shape(kind: str) -> None:
    assert _json.read(schema_1(kind))[0] == kind


def test_comparison_of_schema_1_is_read_with_the_present_names() -> None:
    c = Comparison.from_json(schema_1("comparison"))
    assert list(c.executors) == ["serial", "threads", "processes:spawn"]
    assert c["thread"] is c["threads"]
    assert c["process:spawn"].wall.median > 0
    assert c.gil is not None
    assert c.gil.threads[0].name
    again = Comparison.from_json(c.to_json())
    assert again == c


def test_demonstration_of_schema_1_is_read() -> None:
    kind, fields = _json.read(schema_1("demonstration"))
    assert kind == "demonstration"
    comparisons = [Comparison.from_dict(part) for part in fields["comparisons"]]
    assert len(comparisons) == 6
    for c in comparisons:
        assert list(c.executors) == ["threads", "processes"]
        assert list(c.unavailable) == ["subinterpreters"]


def test_record_of_schema_1_is_read() -> None:
    kind, fields = _json.read(schema_1("record"))
    assert kind == "record"
    record = _codec.decode(GilRecord, fields)
    assert [thread.name for thread in record.threads] == ["MainThread", "left", "right"]
    assert record.timeline[0][2] in (None, 0, 1, 2)


def test_demonstration_holds_comparisons_that_can_be_read_alone() -> None:
    data = Demonstration([], 1).to_dict()
    assert (data["kind"], data["comparisons"]) == ("demonstration", [])


def test_python_is_that_which_measured() -> None:
    c = replace(comparison(), python="3.11.0")
    assert json.loads(c.to_json())["python"] == "3.11.0"


def test_unknown_fields_are_ignored_and_missing_ones_take_their_default() -> None:
    c = comparison(warnings=("noise",), unavailable={"subinterpreters": "too old"})
    data = c.to_dict()
    data["from_the_future"] = [1, 2, 3]
    data["executors"]["threads"]["wall"]["mode"] = 0.5
    assert Comparison.from_dict(data) == c
    del data["warnings"], data["unavailable"], data["gil"]
    assert Comparison.from_dict(data) == replace(c, warnings=(), unavailable={})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("task", 3, "task must be a string, not 3: use a file that gildemo wrote with --json"),
        ("workers", 2.5, "workers must be a whole number, not 2.5"),
        ("workers", True, "workers must be a whole number, not True"),
        ("gil_enabled", 1, "gil_enabled must be true or false, not 1"),
        ("call", "long", "call must be a number or null, not 'long'"),
        ("call", float("inf"), "call must be a number or null, not inf"),
        ("call", 10**400, "call must be a number or null, not 1000"),
        ("verdict", "unclear", "verdict must be one of threads, processes, neither, inconclusive"),
        ("verdict", [], r"verdict must be one of .*, not \[\]"),
        ("executors", [], r"executors must be an object, not \[\]"),
        ("executors.threads", 5, "executors.threads must be an object, not 5"),
        ("executors.threads.wall.median", "long", "executors.threads.wall.median must be a number"),
        ("executors.threads.walls", [1.0, None], r"threads.walls\[1\] must be a number, not None"),
        ("executors.threads.walls", "12", "executors.threads.walls must be a list, not '12'"),
        ("thread_process_ratio.low", "x", "thread_process_ratio.low must be a number, not 'x'"),
        ("unavailable", {"a": 1}, "unavailable.a must be a string, not 1"),
        ("warnings", [["x"]], r"warnings\[0\] must be a string, not \['x'\]"),
        ("gil", 1, "gil must be an object or null, not 1"),
        ("task", None, "task must be a string, not None"),
    ],
)
def test_bad_value_is_named_with_its_place(path: str, value: object, message: str) -> None:
    data = comparison().to_dict()
    *parents, name = path.split(".")
    target = data
    for parent in parents:
        target = target[parent]
    target[name] = value
    with pytest.raises(ValueError, match=message):
        Comparison.from_dict(data)


def test_missing_field_is_named_with_its_place() -> None:
    data = comparison().to_dict()
    del data["executors"]["processes"]["startup"]["low"]
    with pytest.raises(ValueError, match=r"executors\.processes\.startup\.low is missing: use a"):
        Comparison.from_dict(data)


def test_rows_of_a_record_are_checked() -> None:
    fields = dict(_json.read(schema_1("record"))[1])
    for row, message in (
        ([1, 2], r"timeline\[0\] must be a list of 3, not \[1, 2\]"),
        ([1, 2, "x"], r"timeline\[0\] must be a whole number or null, not 'x'"),
    ):
        with pytest.raises(ValueError, match=message):
            _codec.decode(GilRecord, {**fields, "timeline": [row]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is not JSON"),
        ("{", r"this is not JSON \(Expecting property name.*\): use a file that gildemo wrote"),
        ("[" * 100_000, "this JSON is nested too deeply"),
        ('{"schema": NaN}', "NaN is not a number in JSON"),
        ("null", "expected a JSON object, not None"),
        ('{"schema": 3, "gildemo": "9.1"}', "not 3: this was written by gildemo 9.1, so read it"),
        ('{"schema": 0}', "schema must be from 1 to 2, not 0"),
        ('{"schema": true}', "schema must be from 1 to 2, not True"),
        ('{"schema": [1]}', r"schema must be from 1 to 2, not \[1\]"),
        ('{"schema": 2, "kind": "poem"}', "kind must be one of comparison, .*, not 'poem'"),
        ('{"schema": 2, "kind": ["record"]}', r"kind must be one of .*, not \['record'\]"),
        ('{"schema": 1, "gil": null}', "schema 1 needs a field executors, comparisons or gil"),
        ('{"schema": 1, "executors": 5}', "task is missing"),
    ],
)
def test_what_gildemo_did_not_write_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparison.from_json(text)


def test_another_kind_is_refused_by_name() -> None:
    message = (
        "expected a comparison, which `gildemo compare` writes, not a record, which `gildemo watch`"
    )
    with pytest.raises(ValueError, match=message):
        Comparison.from_json(schema_1("record"))


class Color(Enum):
    RED = 1
    BLUE = "blue"


@dataclass(frozen=True)
class Leaf:
    size: float


@dataclass(frozen=True)
class Tree:
    """Every hint that the codec knows; the class refers to itself."""

    name: str
    color: Color
    leaves: tuple[Leaf, ...] = ()
    branches: tuple[Tree, ...] = ()
    pair: tuple[int, str | None] = (0, None)
    counts: Mapping[str, int] = field(default_factory=dict)
    either: int | str = 0
    parent: Leaf | None = None


def test_dataclass_comes_back_from_json_by_its_hints_alone() -> None:
    branch = Tree("branch", Color.RED, either="x", pair=(1, "one"))
    tree = Tree(
        "tree", Color.BLUE, (Leaf(1), Leaf(2.5)), (branch,), counts={"a": 1}, parent=Leaf(0)
    )
    encoded = json.loads(json.dumps(_codec.encode(tree)))
    assert encoded["color"] == "blue"
    assert _codec.decode(Tree, encoded) == tree
    assert isinstance(_codec.decode(Tree, encoded).leaves[0].size, float)
    encoded["branches"][0]["pair"] = []
    with pytest.raises(ValueError, match=r"branches\[0\]\.pair must be a list of 2, not \[\]"):
        _codec.decode(Tree, encoded)


def test_data_that_is_nested_too_deeply_is_refused() -> None:
    data: dict[str, Any] = {"name": "leaf", "color": 1}
    for _ in range(100_000):
        data = {"name": "tree", "color": 1, "branches": [data]}
    with pytest.raises(ValueError, match="nested too deeply"):
        _codec.decode(Tree, data)


def test_a_hint_that_is_not_known_is_a_mistake_of_the_program() -> None:
    @dataclass
    class Odd:
        values: set[int]

    with pytest.raises(TypeError, match="no decoder for set"):
        _codec.decode(Odd, {"values": []})


def test_verdicts_keep_their_values() -> None:
    assert [verdict.value for verdict in Verdict] == [
        *("threads", "processes", "neither", "inconclusive")
    ]
