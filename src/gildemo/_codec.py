"""Frozen dataclasses as JSON values, and back, by the type hints of their fields.

A new field needs no change here, but it needs a default, so that JSON without the field can still
be read. A class whose fields would take too much space sets `has_own_codec = True` and has its own
`to_dict` and `from_dict`.
"""

from __future__ import annotations

import dataclasses
import functools
import reprlib
import sys
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

from gildemo._json import ADVICE

_T = TypeVar("_T")


def encode(value: Any) -> Any:
    """Return a frozen dataclass as JSON values: dicts, lists, strings, numbers, bools and None."""
    if getattr(value, "has_own_codec", False):
        return value.to_dict()
    if dataclasses.is_dataclass(value):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def decode(cls: type[_T], fields: Mapping[str, Any]) -> _T:
    """Build a dataclass from what `encode` returned, by the type hints of its fields.

    Hints may be str, int, float, bool, None, an Enum, a dataclass, and unions, tuples and
    Mapping[str, ...] of these. Raises a ValueError that names the field and its value.
    """
    try:
        found: _T = _dataclass(cls, fields)
    except _InvalidError as error:
        raise ValueError(f"{error}: {ADVICE}") from None
    except RecursionError:
        raise ValueError(f"this JSON is nested too deeply: {ADVICE}") from None
    return found


class _InvalidError(ValueError):
    """A value of the wrong type. Each enclosing container adds its part of the path to it."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__()
        self.expected = expected
        self.value = value
        self.path: list[str] = []

    def __str__(self) -> str:
        path = "".join(reversed(self.path)).removeprefix(".")
        return f"{path or 'this'} must be {self.expected}, not {reprlib.repr(self.value)}"


class _MissingError(_InvalidError):
    """A field that has no default is missing."""

    def __str__(self) -> str:
        return f"{''.join(reversed(self.path)).removeprefix('.')} is missing"


_Decoder = Callable[[Any], Any]


@functools.cache
def _decoder(hint: Any) -> _Decoder:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SCALARS:
        return functools.partial(_scalar, hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return functools.partial(_enum, hint)
    if getattr(hint, "has_own_codec", False):
        return functools.partial(_own, hint)
    if dataclasses.is_dataclass(hint):
        return functools.partial(_dataclass, hint)
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return functools.partial(_named_tuple, hint)
    if origin in (types.UnionType, typing.Union):
        return functools.partial(_union, tuple(map(_decoder, arguments)))
    if origin is tuple and arguments[-1] is Ellipsis:
        return functools.partial(_tuple, _decoder(arguments[0]))
    if origin is tuple:
        return functools.partial(_row, tuple(map(_decoder, arguments)))
    if origin is Mapping and arguments[0] is str:
        return functools.partial(_mapping, _decoder(arguments[1]))
    raise TypeError(f"no decoder for {hint}")


_SCALARS = {
    type(None): "null",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
}


def _scalar(cls: type, value: Any) -> Any:
    # To Python, True is an int.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if cls is float and is_number and abs(value) <= sys.float_info.max:
        return float(value)
    if isinstance(value, cls) and (is_number or cls is not int) and cls is not float:
        return value
    raise _InvalidError(_SCALARS[cls], value)


def _enum(cls: type[Enum], value: Any) -> Enum:
    for member in cls:
        if member.value == value:
            return member
    raise _InvalidError(f"one of {', '.join(str(member.value) for member in cls)}", value)


def _union(decoders: tuple[_Decoder, ...], value: Any) -> Any:
    errors = []
    for decoder in decoders:
        try:
            return decoder(value)
        except _InvalidError as error:
            errors.append(error)
    # The decoder that got furthest into the value is the one for the intended type.
    deepest = max(errors, key=lambda error: len(error.path))
    if not deepest.path:
        deepest.expected = " or ".join(error.expected for error in errors)
    raise deepest


def _tuple(decoder: _Decoder, value: Any) -> tuple[Any, ...]:
    items = _checked(list | tuple, "a list", value)
    found: list[Any] = []
    try:
        for item in items:
            found.append(decoder(item))
    except _InvalidError as error:
        error.path.append(f"[{len(found)}]")
        raise
    return tuple(found)


def _row(decoders: tuple[_Decoder, ...], value: Any) -> tuple[Any, ...]:
    items = _checked(list | tuple, f"a list of {len(decoders)}", value)
    if len(items) != len(decoders):
        raise _InvalidError(f"a list of {len(decoders)}", value)
    return tuple(decoder(item) for decoder, item in zip(decoders, items, strict=True))


def _named_tuple(cls: Any, value: Any) -> Any:
    hints = typing.get_type_hints(cls)
    decoders = tuple(_decoder(hints[name]) for name in cls._fields)
    return cls(*_row(decoders, value))


def _mapping(decoder: _Decoder, value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in _checked(Mapping, "an object", value).items():
        found[_scalar(str, key)] = _inside(f".{key}", decoder, item)
    return found


def _dataclass(cls: Any, value: Any) -> Any:
    fields = _checked(Mapping, "an object", value)
    found: dict[str, Any] = {}
    for field, decoder in _field_decoders(cls):
        if field.name in fields:
            found[field.name] = _inside(f".{field.name}", decoder, fields[field.name])
        elif field.default is field.default_factory is dataclasses.MISSING:
            error = _MissingError("", None)
            error.path.append(f".{field.name}")
            raise error
    return cls(**found)


def _own(cls: Any, value: Any) -> Any:
    fields = _checked(Mapping, "an object", value)
    try:
        return cls.from_dict(fields)
    except (TypeError, ValueError, LookupError):
        raise _InvalidError(f"what {cls.__name__}.to_dict() returns", value) from None


@functools.cache
def _field_decoders(cls: Any) -> list[tuple[dataclasses.Field[Any], _Decoder]]:
    hints = typing.get_type_hints(cls)
    return [(field, _decoder(hints[field.name])) for field in dataclasses.fields(cls)]


def _inside(place: str, decoder: _Decoder, value: Any) -> Any:
    try:
        return decoder(value)
    except _InvalidError as error:
        error.path.append(place)
        raise


def _checked(cls: Any, expected: str, value: Any) -> Any:
    if not isinstance(value, cls):
        raise _InvalidError(expected, value)
    return value
