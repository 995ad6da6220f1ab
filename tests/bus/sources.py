"""The project's source code, as tests read it."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def sources(*folders: str, without: tuple[str, ...] = ("migrations",)) -> Iterator[tuple[str, str]]:
    """The path and the text of each module in folders, except in folders of these names."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT)
            if not set(without) & set(relative.parts):
                yield str(relative), path.read_text()


def classes_of(source: str) -> Iterator[tuple[ast.ClassDef, set[str]]]:
    """Each class of a module, with the last names of its bases."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            yield node, {ast.unparse(base).rpartition(".")[2] for base in node.bases}
