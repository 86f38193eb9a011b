"""What a wrong config is told: one line with the key, its value and what is allowed."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from equivariance.config.base import Choice

NAMES = {int: "an integer", float: "a number", str: "text", bool: "true or false", list: "a list"}


def explain(error: ValidationError, schema: type[BaseModel], raw: dict[str, Any], within: str = "") -> str:
    """The first complaint of pydantic as one line.

    Args:
        error: what validation raised.
        schema: the model that was validated, to say what is allowed.
        raw: what was validated, to know which kind of section it chose.
        within: said after what is allowed, where it is allowed there only.
    """
    first = error.errors()[0]
    if first["type"] == "value_error":  # from a cross-check, already a line
        return str(first["ctx"]["error"])
    annotation, key = follow(schema, [str(part) for part in first["loc"]], raw)
    if first["type"] == "choice":
        path, tag = [*key, *([first["ctx"]["key"]] if "key" in first["ctx"] else [])], first["ctx"].get("tag")
        value = _plain(tag if "key" in first["ctx"] else first["input"])
        return f"{'.'.join(path)}={value}: allowed: {' | '.join(first['ctx']['allowed'])}{within}"
    if first["type"] == "extra_forbidden":
        return unknown(".".join(key), keys(schema))
    if first["type"] == "missing":
        return f"{'.'.join(key)}: not set; allowed: {allowed(annotation)}{within}"
    return f"{'.'.join(key)}={_plain(first['input'])}: allowed: {allowed(annotation)}{within}"


def unknown(key: str, known: list[str]) -> str:
    """A line for a key that no part of the schema has."""
    section = key.rpartition(".")[0]
    near = difflib.get_close_matches(key, [k for k in known if k != section], n=1)
    hint = f"did you mean {near[0]}?" if near else ""
    siblings = [k for k in known if k.rpartition(".")[0] == section] or known
    return f"{key}: no such key; {hint or 'allowed: ' + ', '.join(siblings)}"


def keys(schema: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key of a schema, dotted, sections and values alike."""
    found = []
    for name, field in schema.model_fields.items():
        key = field.alias or name
        found.append(prefix + key)
        for section in _sections(field):
            found += keys(section, f"{prefix}{key}.")
    return list(dict.fromkeys(found))


def follow(schema: type[BaseModel], path: list[str], raw: Any = None) -> tuple[Any, list[str]]:
    """The annotation at a location that pydantic reports, and the key as it is typed."""
    sections: list[type[BaseModel]] = [schema]
    annotation: Any = Any
    for part in path:
        raw = raw.get(part) if isinstance(raw, dict) else None
        fields = [f for s in sections for n, f in s.model_fields.items() if part in (n, f.alias)]
        if fields:
            annotation = Annotated[fields[0].annotation, *fields[0].metadata, None]
            sections = [section for field in fields for section in _sections(field, raw)]
    return annotation, path


def allowed(annotation: Any) -> str:
    """What values an annotation admits, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return allowed(arguments[0]) + _range(arguments[1:])
    if origin is Literal:
        return " | ".join(str(a) for a in arguments)
    if origin is Union or str(origin) == "<class 'types.UnionType'>":
        return " or ".join("null" if a is type(None) else allowed(a) for a in arguments)
    if origin is list:
        return f"a list, each {allowed(arguments[0])}"
    return NAMES.get(annotation, "a section of keys")


def _range(metadata: tuple[Any, ...]) -> str:
    bounds = [b for m in metadata for b in (m.metadata if hasattr(m, "metadata") else [m])]
    patterns = [b.pattern for b in bounds if getattr(b, "pattern", None)]
    words = {Ge: ("from", "ge"), Gt: ("above", "gt"), Le: ("to", "le"), Lt: ("below", "lt")}
    said = [
        f" {words[type(b)][0]} {getattr(b, words[type(b)][1]):,}".replace(",", "") for b in bounds if type(b) in words
    ]
    return "".join(said) + "".join(f" matching {p}" for p in patterns)


def _sections(field: FieldInfo, value: Any = None) -> list[type[BaseModel]]:
    """The sections that a field may hold; the one that its value chooses, where it does."""
    chosen = [m for m in field.metadata if isinstance(m, Choice)]
    if chosen:
        name = value.get(chosen[0].key) if isinstance(value, dict) else None
        if isinstance(name, str) and name in chosen[0].kinds():
            return [chosen[0].kinds()[name]]
        return list(dict.fromkeys(chosen[0].kinds().values()))
    kind = field.annotation
    return [kind] if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _plain(value: Any) -> str:
    return "null" if value is None else str(value)
