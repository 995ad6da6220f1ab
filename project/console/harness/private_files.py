"""Directories and files that only their owner may read: made so, closed if they are open, refused if not ours."""

import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: What the group and everybody else may do.
OTHERS = stat.S_IRWXG | stat.S_IRWXO
ROOT_UID = 0


def claim_directory(directory: Path) -> list[Path]:
    """Make a directory for its owner alone; return it if it was there and open to others.

    Raises:
        OSError: it cannot be made, or somebody else owns it or may have put something into it.
    """
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700, parents=True)
    found = _ours(directory)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{directory} is not a directory: remove it")
    if found.st_mode & stat.S_IWOTH:
        raise PermissionError(f"everybody can write to {directory}: look at what is in it, then chmod 700 {directory}")
    for entry in directory.iterdir():
        _refuse_others(entry, entry.lstat().st_uid, trusted={os.getuid(), ROOT_UID})
    return _closed(directory, found)


def claim_files(files: Iterable[Path]) -> list[Path]:
    """Close those files that others can read, and return these; a missing one is no error.

    Raises:
        PermissionError: somebody else owns one, or could replace it.
    """
    closed: list[Path] = []
    for file in files:
        with suppress(FileNotFoundError):
            directory = file.parent.stat().st_mode
            if directory & stat.S_IWOTH and not directory & stat.S_ISVTX:
                raise PermissionError(f"everybody can replace {file}: chmod 700 {file.parent}")
            closed += _closed(file, _ours(file))
    return closed


def replace_file(file: Path, text: str) -> None:
    """Put a new file in the place of what is there, also of a link, which is not followed."""
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
        new.write(text)
    Path(new.name).replace(file)


def _ours(path: Path) -> os.stat_result:
    """Look at a file, and at the link by which it may be reached.

    Raises:
        PermissionError: somebody else owns one of the two.
    """
    found = path.stat()
    _refuse_others(path, path.lstat().st_uid, trusted={os.getuid(), ROOT_UID})
    _refuse_others(path, found.st_uid, trusted={os.getuid()})
    return found


def _refuse_others(path: Path, owner: int, *, trusted: set[int]) -> None:
    if owner not in trusted:
        us = os.getuid()
        remedy = f"look at what is in it first, then run it as that user, or chown -hR {us} {path}"
        raise PermissionError(f"{path} belongs to the user {owner}, and this process to {us}: {remedy}")


def _closed(path: Path, found: os.stat_result) -> list[Path]:
    if not found.st_mode & OTHERS:
        return []
    path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
    return [path]
