"""Plots of real comparisons: the files, and that no text in them covers another."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest

import gildemo
from gildemo import Comparison, tasks
from gildemo._demo import task_table as demo
from gildemo._report.plot import figure, plot
from helpers import run_python

pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

MAGIC = {".png": b"\x89PNG\r\n", ".svg": b"<?xml", ".pdf": b"%PDF-", ".PNG": b"\x89PNG\r\n"}

LONG = "sum(x * $y$ for x, y in zip(range(10**6), range(10**6)))\nif_this_is_not_too_long_already()"


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    names = ("serial", "threads", "processes")
    return gildemo.compare(tasks.fibo, 22, executors=names, rounds=2, min_time=0)


@pytest.fixture(scope="module")
def six(comparison: Comparison) -> list[Comparison]:
    names = (
        *(demo.FIBO, demo.SPIN_HELD, demo.SPIN_RELEASED),
        *(demo.WAIT_HELD, demo.WAIT_RELEASED, demo.SUBPROCESS),
    )
    return [dataclasses.replace(comparison, task=name) for name in names]


def visible_texts(drawn: Figure) -> list[Text]:
    FigureCanvasAgg(drawn).draw()  # type: ignore[no-untyped-call]
    out_of_view = {
        tick.label1
        for axes in drawn.axes
        for tick in axes.xaxis.get_major_ticks()
        if not axes.get_xlim()[0] <= tick.get_loc() <= axes.get_xlim()[1]
        or not axes.xaxis.get_visible()
    }
    texts = [t for t in drawn.findobj(Text) if isinstance(t, Text) and t not in out_of_view]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def check_texts(drawn: Figure) -> None:
    boxes = {text: text.get_window_extent() for text in visible_texts(drawn)}
    assert len(boxes) > 5
    for text, box in boxes.items():
        assert drawn.bbox.x0 <= box.x0 < box.x1 <= drawn.bbox.x1, text
        assert drawn.bbox.y0 <= box.y0 < box.y1 <= drawn.bbox.y1, text
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        assert not a.overlaps(b), (one, other)


@pytest.mark.parametrize("ending", MAGIC)
def test_file_is_what_its_ending_says(ending: str, comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / f"plot{ending}"
    plot([comparison], path)
    assert path.read_bytes().startswith(MAGIC[ending])


@pytest.mark.parametrize("name", ["plot.jpeg", "plot", "png"])
def test_unknown_ending(name: str, comparison: Comparison, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg or \.pdf"):
        plot([comparison], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_drawn(comparison: Comparison, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no comparison"):
        plot([], tmp_path / "plot.png")
    with pytest.raises(ValueError, match="7 inches or more"):
        figure([comparison], 3)
    with pytest.raises(FileNotFoundError):
        plot([comparison], tmp_path / "missing" / "plot.png")


@pytest.mark.parametrize("width", [7.0, 12.0])
def test_texts_do_not_overlap(width: float, comparison: Comparison, six: list[Comparison]) -> None:
    check_texts(figure([comparison], width))
    check_texts(figure(six, width))


def test_texts_of_unusual_comparisons_do_not_overlap(comparison: Comparison) -> None:
    results = comparison.executors
    many = {f"processes:{i}": results["processes"] for i in range(4)} | {
        "threads": results["threads"]
    }
    check_texts(
        figure(
            [
                dataclasses.replace(comparison, task=LONG, executors=many),
                dataclasses.replace(
                    comparison, task=LONG, executors={"threads": results["threads"]}
                ),
                dataclasses.replace(comparison, task=LONG, gil=None, cpus=128),
            ],
            9.0,
        )
    )


def test_without_a_record_there_are_only_bars(comparison: Comparison) -> None:
    drawn = figure([dataclasses.replace(comparison, gil=None)])
    texts = {text.get_text() for text in visible_texts(drawn)}
    assert {"serial", "threads", "processes"} <= texts
    assert not any("GIL" in text for text in texts)


def test_bars_of_short_calls_are_not_on_the_axis_of_the_whole_run(comparison: Comparison) -> None:
    longest = max(result.wall.high for result in comparison.executors.values())
    many = dataclasses.replace(comparison, calls=1000)
    drawn = figure([many])
    check_texts(drawn)
    assert longest < drawn.axes[1].get_xlim()[1] < 1.2 * longest


def test_workers_have_lanes_in_order_and_idle_threads_have_none(comparison: Comparison) -> None:
    gil = comparison.gil
    if gil is None:
        pytest.skip(str(comparison.gil_unavailable))
    idle = dataclasses.replace(gil.threads[0], held=0.0, waiting=0.0, intervals=())
    names = ("worker_10", "worker_2", "MainThread", "helper")
    threads = [dataclasses.replace(idle, name=name) for name in names]
    threads[-1] = dataclasses.replace(threads[-1], held=0.1)
    timeline = tuple((start, end, None) for start, end, _ in gil.timeline)
    record = dataclasses.replace(gil, threads=tuple(threads), timeline=timeline)
    drawn = figure([dataclasses.replace(comparison, gil=record)])
    labels = [label.get_text() for label in drawn.axes[-1].get_yticklabels()]
    assert labels == ["worker_2", "worker_10", "helper"]


def test_who_waits_is_not_shown_as_nobody_where_it_is_unknown(comparison: Comparison) -> None:
    gil = comparison.gil
    if gil is None:
        pytest.skip(str(comparison.gil_unavailable))
    threads = tuple(
        dataclasses.replace(
            thread,
            waiting=None,
            intervals=tuple(
                (start, end, state if state == "holds" else "not_observed")
                for start, end, state in thread.intervals
            ),
        )
        for thread in gil.threads
    )
    record = dataclasses.replace(gil, threads=threads)
    drawn = figure([dataclasses.replace(comparison, gil=record)])
    texts = {text.get_text() for text in visible_texts(drawn)}
    assert "not observed" in texts
    assert "waits for the GIL" not in texts


def test_missing_matplotlib_is_told() -> None:
    program = """
        import sys
        from pathlib import Path
        sys.modules["matplotlib"] = None
        import gildemo
        from gildemo._report.plot import plot
        comparison = gildemo.compare(print, executors=["serial"], rounds=1, min_time=0)
        try:
            plot([comparison], Path("never.png"))
        except RuntimeError as error:
            print(error)
    """
    assert 'pip install "gildemo[plot]"' in run_python(program)


def test_plotting_does_not_start_pyplot(comparison: Comparison, tmp_path: Path) -> None:
    program = f"""
        import sys
        from pathlib import Path
        import gildemo
        from gildemo._report.plot import plot
        assert "matplotlib" not in sys.modules
        comparison = gildemo.Comparison.from_json({comparison.to_json()!r})
        plot([comparison], Path({str(tmp_path / "plot.svg")!r}))
        print("matplotlib.pyplot" in sys.modules)
    """
    assert run_python(program) == "False\n"
