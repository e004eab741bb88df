"""The registry of output formats: a format in it is one for every command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from gildemo._cli import compare, demo, watch
from gildemo._report import formats
from gildemo._report.formats import OutputFormat, Results

COMMANDS = {
    "compare": (compare, ["pass"]),
    "demo": (demo, []),
    "watch": (watch, ["script.py"]),
}


class Words(OutputFormat):
    """A format that is not gildemo's."""

    name = "words"
    help = "write the document in words"
    to_stdout = True
    of_records = True

    def unusable(self, path: Path) -> str | None:
        return None if path.suffix == ".txt" else f"{path} is no .txt"

    def write(self, results: Results, path: Path | None, arguments: argparse.Namespace) -> None:
        text = " ".join(map(str, results.document))
        if path is None:
            print(text)
        else:
            path.write_text(text, encoding="utf-8")


Parse = Callable[..., argparse.Namespace]


@pytest.fixture(params=COMMANDS)
def parse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Parse:
    """Parses options of a command, while there is one more format."""
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, Words()))
    parser = argparse.ArgumentParser()
    module, operands = COMMANDS[request.param]
    module.add_parser(parser.add_subparsers())
    return lambda *options: parser.parse_args([request.param, *options, *operands])


def test_each_command_has_its_option(parse: Parse, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    shown = capsys.readouterr().out
    for output in formats.FORMATS:
        assert f"--{output.name} FILE" in shown
    assert Words.help in shown


def test_its_file_is_checked_beforehand(parse: Parse, tmp_path: Path) -> None:
    good, other = str(tmp_path / "good.txt"), str(tmp_path / "good.md")
    assert formats.problem(parse()) is None
    assert formats.problem(parse("--words", good)) is None
    assert formats.problem(parse("--words", other)) == f"{other} is no .txt"
    nowhere = formats.problem(parse("--words", str(tmp_path / "no" / "good.txt")))
    assert nowhere is not None
    assert "no folder" in nowhere
    both = formats.problem(parse("--words", good, "--json", good))
    assert both == f"--json and --words can't both write to {good}"
    none = formats.problem(parse("--words", good), "nothing was monitored")
    assert none == "nothing was monitored: leave out --words"


def test_it_is_written_to_a_file_or_to_standard_output(
    parse: Parse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "good.txt"
    to_file, to_stdout = parse("--words", str(file)), parse("--words", "-")
    assert not formats.uses_stdout(to_file)
    assert formats.uses_stdout(to_stdout)
    assert formats.write(to_file, Results({"a": 1, "b": 2}))
    assert formats.write(to_stdout, Results({"c": 3}))
    assert file.read_text(encoding="utf-8") == "a b"
    assert capsys.readouterr().out == "c\n"


def test_a_file_that_can_not_be_written_does_not_keep_others_from_it(
    parse: Parse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = tmp_path / "good.txt", tmp_path / "folder"
    arguments = parse("--json", str(folder), "--words", str(file))
    folder.mkdir()
    assert not formats.write(arguments, Results({"a": 1}))
    assert file.read_text(encoding="utf-8") == "a"
    assert f"can't write {folder}" in capsys.readouterr().err
