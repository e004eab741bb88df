"""The JSON that gildemo writes and reads: one envelope for every command.

    {"kind": "comparison", "schema": 2, "gildemo": "0.1.0", "python": "3.13.0", ...}

The kind is "comparison" (of `gildemo compare`), "demonstration" (`demo`) or "record" (`watch`).
"gildemo" and "python" are the versions that measured. All other fields are those of a frozen
dataclass. Unknown fields are ignored, and missing fields take the dataclass's defaults, so a new
field with a default does not change the schema.

History of the schema:

1. gildemo 0.1.0. There was no kind and no version. The executors were called thread, process and
   interpreter. A record was in the field "gil" of its file, and its threads had "waits".
2. The envelope. The executors are called threads, processes and subinterpreters. The fields of a
   record are beside its kind, and its threads have "intervals", each with a state.
"""

from __future__ import annotations

import json
import platform
import reprlib
from collections.abc import Mapping
from typing import Any, NoReturn

SCHEMA = 2

# Each kind, and the command that writes it.
KINDS = {
    "comparison": "gildemo compare",
    "demonstration": "gildemo demo",
    "record": "gildemo watch",
}

ADVICE = "use a file that gildemo wrote with --json"


def write(data: Mapping[str, Any]) -> str:
    """Return what `wrap` returned as JSON text."""
    return json.dumps(data, indent=2)


def read(text: str) -> tuple[str, Mapping[str, Any]]:
    """Return the kind of an envelope, and its fields converted to the current schema.

    Raises ValueError if the text is not JSON, or was not written by gildemo.
    """
    return _open(loads(text))


def loads(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError if the text is not JSON."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError(f"this JSON is nested too deeply: {ADVICE}") from None
    except ValueError as error:
        raise ValueError(f"this is not JSON ({error}): {ADVICE}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def wrap(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in an envelope of this kind."""
    from gildemo import __version__

    versions = {"gildemo": __version__, "python": platform.python_version()}
    return {"kind": kind, "schema": SCHEMA, **versions, **fields}


def unwrap(data: object, kind: str) -> Mapping[str, Any]:
    """Return the fields of an envelope, which may have an older schema.

    Raises ValueError if `data` is not an envelope, or has another kind or a newer schema.
    """
    found, fields = _open(data)
    if found != kind:
        raise ValueError(
            f"expected a {kind}, which `{KINDS[kind]}` writes, not a {found}, which "
            f"`{KINDS[found]}` writes"
        )
    return fields


def _open(data: object) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(data, Mapping):
        raise ValueError(f"expected a JSON object, not {reprlib.repr(data)}: {ADVICE}")
    schema = data.get("schema")
    if type(schema) is not int or schema < 1:
        raise ValueError(f"schema must be from 1 to {SCHEMA}, not {reprlib.repr(schema)}: {ADVICE}")
    if schema > SCHEMA:
        raise ValueError(
            f"schema must be from 1 to {SCHEMA}, not {schema}: this was written by gildemo "
            f"{data.get('gildemo')}, so read it with that version or a later one"
        )
    if schema == 1:
        return _from_schema_1(data)
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(
            f"kind must be one of {', '.join(KINDS)}, not {reprlib.repr(kind)}: {ADVICE}"
        )
    return kind, data


def _from_schema_1(data: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if "executors" in data:
        names = {"executors", "unavailable"} & set(data)
        found = {**data, **{name: _canonical_keys(data[name]) for name in names}}
        if isinstance(data.get("gil"), Mapping):
            found["gil"] = _record_from_schema_1(data["gil"])
        return "comparison", found
    if "comparisons" in data:
        return "demonstration", data
    if isinstance(data.get("gil"), Mapping):
        return "record", _record_from_schema_1(data["gil"])
    raise ValueError(
        f"schema 1 needs a field executors, comparisons or gil, but the fields are "
        f"{reprlib.repr(sorted(map(str, data)))}: {ADVICE}"
    )


def _record_from_schema_1(record: Mapping[str, Any]) -> Mapping[str, Any]:
    threads = record.get("threads")
    if not isinstance(threads, list):
        return record
    return {**record, "threads": [_thread_from_schema_1(thread) for thread in threads]}


def _thread_from_schema_1(thread: Any) -> Any:
    if not isinstance(thread, Mapping) or not isinstance(thread.get("waits"), list):
        return thread
    waits = [[*wait, "waits"] for wait in thread["waits"] if isinstance(wait, list)]
    return {**thread, "intervals": waits}


def _canonical_keys(found: Any) -> Any:
    from gildemo.executors import canonical

    if not isinstance(found, Mapping):
        return found
    return {canonical(name) if isinstance(name, str) else name: v for name, v in found.items()}
