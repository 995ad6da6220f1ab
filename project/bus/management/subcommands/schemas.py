"""manage.py bus schemas"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from ...events import event_types
from ...schemas import encode, file_name, incompatibilities, read, schema_of
from .. import base


class WriteSchemas(base.Subcommand):
    name = "schemas"
    summary = "write JSON Schemas; refuse incompatible changes"
    help = """\
Write a JSON Schema for each event and version, and refuse a change that another release would not understand.

Releases overlap while one replaces the other, and events are kept. So within a version you may add a field that has a
default, but remove, rename or retype none: for that, make the next version and write an upcaster (docs/extending.md).
The files of older versions stay: they tell what the upcasters have to read.

examples:
  manage.py bus schemas            write docs/schemas/
  manage.py bus schemas --check    only say what is missing, stale or refused

exit codes:
  0  the files are written, or with --check as they should be
  1  a change was refused, and nothing was written; with --check, also a file that is missing or stale
  2  wrong arguments"""

    requires_system_checks = ()  # it needs no database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing")
        parser.add_argument(
            "--directory",
            type=Path,
            # Not every project has BASE_DIR in its settings.
            default=Path(getattr(settings, "BASE_DIR", ".")) / "docs" / "schemas",
            help="where the files are (docs/schemas)",
        )

    def handle(self, *, check: bool, directory: Path, **_: Any) -> None:
        """Compare the code's schemas with the files', then write them.

        Raises:
            CommandError: a change was refused or, with --check, a file is missing or stale.
        """
        refused, stale = [], {}
        known = {file_name(event_type): schema_of(event_type) for event_type in event_types()}
        for name, schema in known.items():
            file = directory / name
            if file.exists():
                refused += [f"{name}: {change}" for change in incompatibilities(read(file), schema)]
            if not file.exists() or file.read_text() != encode(schema):
                stale[file] = encode(schema)
        older = _files_of_older_versions()
        refused += [
            f"{name} is missing: bring it back from history" for name in older if not (directory / name).exists()
        ]
        refused += [
            f"{file.name} belongs to no event: bring its event back, because what is stored of it could not be read; "
            "or, once nothing of it is owed anywhere and nobody will replay it, delete the file"
            for file in sorted(directory.glob("*.v*.json"))
            if file.name not in {*known, *older}
        ]
        if refused:
            remedy = "What has changed within a version: make it the next version and write an upcaster from this one."
            raise CommandError("\n".join([*refused, remedy]))
        if check and stale:
            names = ", ".join(file.name for file in stale)
            raise CommandError(f"These files differ from the code: {names}. Run manage.py bus schemas.")
        if not check:
            directory.mkdir(parents=True, exist_ok=True)
            for file, text in stale.items():
                file.write_text(text)
        self.stdout.write(f"{len(known)} schemas, {len(stale)} written.")


def _files_of_older_versions() -> list[str]:
    return [
        f"{event_type.wire_name}.v{version}.json"
        for event_type in event_types()
        for version in range(1, event_type.wire_version)
    ]
