"""What reports make of a profile: the table of sites, flame graphs, and names of calls."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

import pytest

import gildemo
from gildemo._report import formats
from gildemo._report.formats import Results
from gildemo._report.profile_files import collapsed, speedscope
from gildemo._report.sites_table import sites_table
from gildemo._sources import hottest_site, short_file
from gildemo.monitor import Frame, GilRecord, Node, Profile, ThreadRecord
from gildemo.monitor._stacks import of_thread, without_machinery

SOURCE = """\
import json
def report(data):
    return json.dumps(data), sorted(data)
"""


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Two threads; the first runs report() in a pool, and dumps() of that line holds the most."""
    file = tmp_path / "report.py"
    file.write_text(SOURCE, encoding="utf-8")
    pool = "/usr/lib/python3.13/concurrent/futures/thread.py"
    frames = (
        Frame("_worker", pool, 80, 93, 93, 8, 30),
        Frame("report", str(file), 2, 3, 3, 11, 27),
        Frame("report", str(file), 2, 3, 3, 29, 41),
        Frame("spin", "<statement>", 1, None, None, None, None),
    )
    nodes = (
        Node(None, None, 0, 0.0, 0.0, 0, 0.0),
        Node(0, 0, None, 0.1, 0.0, 10, 1e-3),
        Node(1, 1, None, 0.4, 0.6, 40, 4e-3),
        Node(1, 2, None, 0.1, 0.2, 10, 1e-3),
        Node(None, None, 1, 0.0, 0.0, 0, 0.0),
        Node(4, 3, None, 0.2, 0.1, 20, 2e-3),
    )
    return Profile(frames, nodes, stacks=80)


@pytest.fixture
def record(profile: Profile) -> GilRecord:
    threads = (ThreadRecord("pool", 1, 0.6), ThreadRecord("other", 2, 0.2))
    return GilRecord(1.0, 1000, 0.8, 0.01, threads=threads, profile=profile)


def rows(record: GilRecord, width: int) -> list[list[str]]:
    table = sites_table(record, width)
    assert table is not None
    return [[str(cell) for cell in column.cells] for column in table.columns]


def test_the_table_marks_the_call_that_held_the_most(record: GilRecord) -> None:
    functions, places, held, waited = rows(record, 120)
    assert functions[0].splitlines() == [
        "report",
        "  return json.dumps(data), sorted(data)",
        "         ^^^^^^^^^^^^^^^^",
    ]
    assert places[0].endswith("report.py:3")
    assert held == ["50.0%", "20.0%", "10.0%"]
    assert waited == ["800 ms", "100 ms", "0 ns"]


def test_the_table_fits_a_narrow_terminal(record: GilRecord) -> None:
    functions, places, _, _ = rows(record, 60)
    assert max(len(line) for cell in functions for line in cell.splitlines()) <= 60 - 18 - 20
    assert max(map(len, places)) <= 20
    assert places[0].startswith("…")


def test_the_shares_add_up_to_the_time_that_the_gil_was_held(record: GilRecord) -> None:
    # A few stacks stand for more time than the whole of a program of some milliseconds.
    _, _, held, _ = rows(dataclasses.replace(record, held=0.4), 120)
    assert held == ["25.0%", "10.0%", "5.0%"]


def test_what_gildemo_itself_holds_is_no_line_of_the_program(profile: Profile) -> None:
    own = Path(gildemo.__file__).parent / "_cli" / "run_program.py"
    frames = (*profile.frames, Frame("run_program", str(own), 20, 44, 44, 0, 9))
    nodes = (*profile.nodes, Node(4, len(profile.frames), None, 0.3, 0.0, 30, 3e-3))
    shown = without_machinery(dataclasses.replace(profile, frames=frames, nodes=nodes))
    assert "run_program" not in {site.function for site in shown.sites()}
    assert shown.held == pytest.approx(profile.held + 0.3)


def test_there_is_no_table_without_sites() -> None:
    assert sites_table(GilRecord(1.0, 100, 0.0, 0.01), 80) is None


def test_machinery_counts_for_its_caller(profile: Profile) -> None:
    shown = without_machinery(profile)
    assert sum(node.held for node in shown.nodes) == pytest.approx(profile.held)
    # The worker of the pool has no caller, so what it held stays; but it is nobody's caller.
    assert [node.frame for node in shown.nodes if node.parent == 0] == [0, 1, 2]


def test_one_thread_alone(profile: Profile) -> None:
    assert of_thread(profile, 1).held == pytest.approx(0.2)
    assert [site.function for site in of_thread(profile, 1).sites()] == ["spin"]


def test_the_hottest_site_is_named_by_its_call(profile: Profile) -> None:
    name = hottest_site(profile)
    assert name.startswith("`json.dumps(data)`, ")
    assert name.endswith("report.py:3")
    assert hottest_site(Profile()) == ""


def test_places_without_a_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: Profile
) -> None:
    folder = tmp_path / "removed"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    monkeypatch.syspath_prepend(tmp_path)
    # An import ignores what is no str.
    monkeypatch.setattr("sys.path", [b"/", *sys.path])
    short_file.cache_clear()
    assert hottest_site(profile) == "`json.dumps(data)`, report.py:3"


def test_collapsed_stacks(record: GilRecord) -> None:
    lines = dict(line.rsplit(" ", 1) for line in collapsed({"x": record}, "held").splitlines())
    weights = {stack.split(";")[-1].split()[0]: int(weight) for stack, weight in lines.items()}
    assert weights == {"_worker": 100_000, "report": 500_000, "spin": 200_000}
    assert {stack.split(";")[0] for stack in lines} == {"pool", "other"}
    waiting = collapsed({"x": record}, "waiting")
    assert sum(int(line.rsplit(" ", 1)[1]) for line in waiting.splitlines()) == 900_000


def test_collapsed_stacks_have_a_line_each(record: GilRecord) -> None:
    threads = tuple(
        dataclasses.replace(thread, name=f"{thread.name};1\n2") for thread in record.threads
    )
    lines = collapsed({"x": dataclasses.replace(record, threads=threads)}, "held").splitlines()
    assert {line.split(";")[0] for line in lines} == {"pool,1 2", "other,1 2"}
    assert all(line.rsplit(" ", 1)[1].isdigit() for line in lines)


def test_speedscope_files_follow_their_schema(record: GilRecord) -> None:
    loaded = json.loads(speedscope({"x": record}, "held"))
    assert loaded["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = loaded["shared"]["frames"]
    assert all(set(frame) <= {"name", "file", "line"} and frame["name"] for frame in frames)
    assert [profile["name"] for profile in loaded["profiles"]] == ["pool", "other"]
    for profile in loaded["profiles"]:
        assert profile["type"] == "sampled"
        assert profile["unit"] == "seconds"
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] == pytest.approx(sum(profile["weights"]))
        assert all(0 <= index < len(frames) for stack in profile["samples"] for index in stack)


@pytest.mark.parametrize("ending", [".folded", ".txt", ".speedscope.json"])
def test_the_format_is_chosen_by_the_ending(tmp_path: Path, record: GilRecord, ending: str) -> None:
    path = tmp_path / f"profile{ending}"
    parser = argparse.ArgumentParser()
    formats.add_options(parser)
    arguments = parser.parse_args(["--profile", str(path), "--weight", "waiting"])
    assert formats.problem(arguments) is None
    assert formats.write(arguments, Results({}, records={"x": record}))
    assert path.read_text(encoding="utf-8")


@pytest.mark.parametrize("ending", [".folded", ".speedscope.json"])
def test_names_that_are_no_utf_8(tmp_path: Path, record: GilRecord, ending: str) -> None:
    file = os.fsdecode(b"caf\xe9.py")
    frames = tuple(frame._replace(file=file) for frame in record.profile.frames)
    profile = dataclasses.replace(record.profile, frames=frames)
    path = tmp_path / f"profile{ending}"
    parser = argparse.ArgumentParser()
    formats.add_options(parser)
    arguments = parser.parse_args(["--profile", str(path)])
    records = {"x": dataclasses.replace(record, profile=profile)}
    assert formats.write(arguments, Results({}, records=records))
    assert r"caf\udce9.py" in path.read_text(encoding="utf-8")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    formats.add_options(parser)
    why = formats.problem(parser.parse_args(["--profile", str(tmp_path / "profile.pdf")]))
    assert why is not None
    assert "must end in one of .speedscope.json, .folded, .txt" in why


def test_a_record_with_a_profile_survives_json(record: GilRecord) -> None:
    assert GilRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record
