"""Generates pages of docs/ from the code. `make docs` runs it, and a test fails when a page is stale."""

import ast
import inspect
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import django
import msgspec
from django.conf import settings

from project import events
from project.bus import Event
from project.bus.registry import Handler, handlers
from project.bus.states import states_page
from project.celery import SERVICES

#: The kinds of values that django-environ reads.
KINDS = {
    "str": "text",
    "bool": "on or off",
    "int": "whole number",
    "positive_int": "whole number from 1",
    "list": "list, separated by commas",
}

#: The modules that read environment variables, in the sequence of the page.
SETTINGS_MODULES = (
    "project/environment.py",
    "project/security_settings.py",
    "project/cache_settings.py",
    "project/limit_settings.py",
    "project/header_settings.py",
    "project/settings.py",
    "project/mail_settings.py",
)
SETTINGS_INTRO = """\
# Settings

Environment variables configure Orderly. This page lists all of them; `make docs` generates it from
[project/settings.py](../project/settings.py) and the modules of settings beside it. Give the same ones to every
process: the web server, the relay, the workers and commands. (`make run` writes its `WELCOME_SKU` to the file `env` in
`DATA_DIR`, which every process reads too; the environment takes precedence.)

| Variable | Value | Default | Meaning |
|---|---|---|---|
"""
EVENTS_INTRO = """\
# Events

All events and their handlers. `make docs` generates this page from [project/events.py](../project/events.py) and the
handlers that subscribe in each service's `tasks.py`. [bus.md](bus.md) explains how an event reaches its handlers, and
[extending.md](extending.md) how to add one.

Besides its own fields, each event has an envelope: `id`, `time`, `subject` (the aggregate that it is about), `sequence`
(the version of the aggregate after the event, if versions are counted), the id of the event that caused it, and the
correlation id, which is the id of the first event of its chain.

| Event | Wire name | Version | Published by | Handled by |
|---|---|---|---|---|
"""


def settings_page() -> str:
    """Return docs/settings.md: the environment variables that the settings read."""
    return SETTINGS_INTRO + "".join(
        f"| `{name}` | {kind} | {default} | {meaning} |\n"
        for module in SETTINGS_MODULES
        for name, kind, default, meaning in variables((Path(settings.BASE_DIR) / module).read_text())
    )


def variables(source: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, kind, default and meaning of each variable that the source reads with `env`.

    Raises:
        ValueError: a variable has no comment above it, which is its meaning.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    assigned = {name: value for node in tree.body for name, value in assignments(node)}
    for line, name, kind, default in sorted(reads(tree)):
        meaning = comment_above(lines, line - 1)
        if not meaning:
            raise ValueError(f"the settings read {name}, which has no comment above that says what it means")
        typed = shown(default, assigned)
        yield name, KINDS[kind], f"`{typed}`" if typed else "none", meaning


def reads(tree: ast.Module) -> Iterator[tuple[int, str, str, ast.expr]]:
    """Yield line, name, kind and default of each call such as `env.str("NAME", default=...)`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env"), attr=kind),
                args=[ast.Constant(value=str(name))],
                keywords=[ast.keyword(arg="default", value=default)],
            ):
                yield node.lineno, name, kind, default


def assignments(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield the name and the value, if a statement assigns a constant."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() | ast.JoinedStr() as value):
            yield name, value


def comment_above(lines: Sequence[str], number: int) -> str:
    """Return the comment directly above a line, as one line."""
    begin = number
    while begin and lines[begin - 1].lstrip().startswith("#"):
        begin -= 1
    return " ".join(line.lstrip().removeprefix("#").strip() for line in lines[begin:number])


def shown(node: ast.expr, assigned: dict[str, ast.expr]) -> str:
    """Format a default as one would type it, with the names of other settings in it."""
    match node:
        case ast.Constant(value=bool(value)):
            text = "on" if value else "off"
        case ast.Constant(value=value):
            text = str(value)
        case ast.List(elts=items):
            text = ",".join(shown(item, assigned) for item in items)
        case ast.Name(id="BASE_DIR"):
            text = "."
        case ast.Name(id=name):
            text = shown(assigned[name], assigned) if name in assigned else name
        case ast.JoinedStr(values=parts):
            text = "".join(shown(part, assigned) for part in parts)
        case ast.FormattedValue(value=inner) | ast.Call(func=ast.Name(id="str" | "quote"), args=[inner]):
            text = shown(inner, assigned)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            text = f"{shown(left, assigned)}/{shown(right, assigned)}"
        case _:
            text = ast.unparse(node)
    return text


def events_page() -> str:
    """Return docs/events.md: the events and their handlers."""
    ours = [
        cls for cls in vars(events).values() if inspect.isclass(cls) and issubclass(cls, Event) and cls is not Event
    ]
    rows = "".join(
        f"| [`{cls.__name__}`](#{cls.__name__.lower()}) | `{cls.wire_name}` | {cls.wire_version} | {publisher(cls)} | "
        f"{', '.join(f'`{handler.name}`' for handler in handlers_of(cls)) or 'none'} |\n"
        for cls in ours
    )
    return EVENTS_INTRO + rows + "".join(event_section(cls) for cls in ours)


def publisher(cls: type[Event]) -> str:
    """Return the service that publishes an event: the first part of its wire name."""
    return cls.wire_name.partition(".")[0]


def handlers_of(cls: type[Event]) -> list[Handler]:
    """Return the services' handlers of an event."""
    return [
        handler
        for handler in handlers.values()
        if cls in handler.event_types and handler.function.__module__.partition(".")[0] in SERVICES
    ]


def event_section(cls: type[Event]) -> str:
    """Return the section about one event."""
    types = {field.name: field.type for field in msgspec.structs.fields(cls)}
    text = f"\n## {cls.__name__}\n\n{inspect.getdoc(cls)}\n\n| Field | Type |\n|---|---|\n"
    for name in cls.data_fields:
        subject = ", the subject" if name == cls.subject_field else ""
        text += f"| `{name}` | {type_text(types[name])}{subject} |\n"
    reacting = handlers_of(cls)
    if not reacting:
        return text + "\nNo handler.\n"
    text += "\n| Handler | Queue | Called | Attempts | Time limit | What it does |\n|---|---|---|---|---|---|\n"
    for handler in reacting:
        text += (
            f"| `{handler.name}` | `{handler.queue}` | {called(handler)} | {handler.attempts} | "
            f"{handler.time_limit} s | {first_line(handler.function)} |\n"
        )
    return text


def type_text(annotation: Any) -> str:
    """Format the type of a field, with the fields of a nested struct."""
    (inner,) = getattr(annotation, "__args__", None) or (annotation,)
    if inspect.isclass(inner) and issubclass(inner, msgspec.Struct):
        parts = ", ".join(f"`{field.name}` {type_text(field.type)}" for field in msgspec.structs.fields(inner))
        return f"{'list of ' if inner is not annotation else ''}`{inner.__name__}`: {parts}"
    # An unescaped bar would end the table cell.
    return f"`{annotation.__name__ if inspect.isclass(annotation) else annotation}`".replace("|", r"\|")


def called(handler: Handler) -> str:
    """Describe how a handler is called."""
    if handler.external:
        return "singly, at least once"
    return "in batches" if handler.batch else "singly"


def first_line(function: Any) -> str:
    """Return the first line of a function's docstring."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


#: By path in the repository.
PAGES = {"docs/settings.md": settings_page, "docs/events.md": events_page, "docs/states.md": states_page}


def main() -> None:
    for name, page in PAGES.items():
        (Path(settings.BASE_DIR) / name).write_text(page())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    main()
