"""docs/architecture.md is true of the tree: its files, its names, its rules."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gildemo

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "gildemo"
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

LONGEST_FILE = 300  # lines
SUFFIXES = {".py", ".pyi", ".c", ".h"}

PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|pyi|c|h|md|json|toml))|\.ci/run")
NAME = re.compile(r"\w+(?:\.\w+)*(?:\(\))?")


def section(title: str) -> str:
    """The text from a heading to the next one of its level."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def tree() -> Iterator[str]:
    """The paths of the tree: folders end with a slash."""
    (block,) = re.findall(r"```text\n(.*?)```", section("The tree"), re.DOTALL)
    folder = ""
    for line in block.splitlines():
        name, description = line.split(maxsplit=1)
        assert description
        if not line.startswith(" "):
            folder = name
            yield folder
        elif name.endswith(".[ch]"):
            yield from (f"{folder}{name[:-4]}{suffix}" for suffix in "ch")
        else:
            yield f"{folder}{name}"


def sources() -> list[Path]:
    folders = (ROOT / "csrc", PACKAGE)
    return sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in SUFFIXES)


def test_each_file_is_in_the_tree_once() -> None:
    files = [path for path in tree() if not path.endswith("/")]
    assert Counter(files) == Counter(str(path.relative_to(ROOT)) for path in sources())


def test_each_folder_is_in_the_tree_once() -> None:
    folders = {path.parent for path in sources()} | {ROOT / "docs"}
    tests = (path for path in (ROOT / "tests").rglob("*") if path.suffix in {*SUFFIXES, ".json"})
    folders |= {path.parent for path in tests}
    in_tree = [path for path in tree() if path.endswith("/")]
    assert Counter(in_tree) == Counter(f"{folder.relative_to(ROOT)}/" for folder in folders)


def found(path: str) -> Path | None:
    candidates = (ROOT / path, PACKAGE / path)
    return next((candidate for candidate in candidates if candidate.exists()), None)


def test_each_path_in_the_text_exists() -> None:
    text = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    paths = [quoted for quoted in re.findall(r"`([^`]+)`", text) if PATH.fullmatch(quoted)]
    assert len(paths) > 30
    # NAME stands for the name of something new.
    assert [path for path in paths if not found(path) and "NAME" not in path] == []


def test_names_are_in_the_file_that_begins_their_item() -> None:
    items = re.findall(r"^(?:-|\d+\.) `([^`]+)`: (.*?)(?=^\S|^$)", TEXT, re.DOTALL | re.MULTILINE)
    assert len(items) > 20
    for path, text in items:
        file = found(path)
        if file is None:
            continue
        words = set(re.findall(r"\w+", file.read_text(encoding="utf-8")))
        for quoted in re.findall(r"`([^`]+)`", text):
            if NAME.fullmatch(quoted) and not PATH.fullmatch(quoted):
                assert set(re.findall(r"\w+", quoted)) <= words, f"{quoted} is not in {path}"


def imports(path: Path) -> Iterator[str]:
    """The modules of this package that a file imports, without `gildemo.`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            modules = [imported_module(node.module, alias.name) for alias in node.names]
        else:
            continue
        yield from (m.partition(".")[2] for m in modules if m.startswith("gildemo."))


def imported_module(module: str, name: str) -> str:
    path = PACKAGE.parent / f"{module}.{name}".replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").exists() or path.with_suffix(".pyi").exists():
        return f"{module}.{name}"
    return gildemo._LAZY.get(name, module) if module == "gildemo" else module


def test_imports_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", section("Who may import whom"), re.MULTILINE)
    allowed = {part: re.findall(r"`([\w.]+)`", cells) for part, cells in rows}
    used: dict[str, set[str]] = {part: set() for part in allowed}
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for module in imports(path):
            if module.split(".")[0] == part:
                continue
            rules = [rule for rule in allowed[part] if f"{module}.".startswith(f"{rule}.")]
            assert rules, f"{path.relative_to(ROOT)} imports {module}"
            used[part].update(rules)
    assert used == {part: set(rules) for part, rules in allowed.items()}


def test_two_files_know_the_internals_of_cpython() -> None:
    files = {
        p.name for p in sources() if re.search(r'#\s*include "internal/', p.read_text("utf-8"))
    }
    stated = re.search(
        r"internal headers are `csrc/monitor/([\w.]+)` and `csrc/monitor/([\w.]+)`", TEXT
    )
    assert stated is not None
    assert files == set(stated.groups())


def test_no_file_is_long() -> None:
    lengths = {str(p): len(p.read_text(encoding="utf-8").splitlines()) for p in sources()}
    assert {path: n for path, n in lengths.items() if n > LONGEST_FILE} == {}
    assert f"longer than {LONGEST_FILE} lines" in TEXT
