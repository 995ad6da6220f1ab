"""The environment variables, and those settings that other settings are made of."""

import errno
import os
import re
import stat
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

BOOLEANS = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}

REMEDY = "Set it to a directory that this user owns, or run this as the user who owns it"
NOT_OURS = (
    "has a file env in it that this user has not made, or that others can write: look at what is in it, then remove it."
)


class Environment(environ.Env):  # type: ignore[misc]
    """The environment; its errors name the variable, and never show its value."""

    def get_value(self, var: str, cast: Any = str, default: Any = environ.Env.NOTSET, **_: Any) -> Any:
        """Return the value of a variable as it is: django-environ takes a leading $ for the name of another one.

        Raises:
            ImproperlyConfigured: the value is of the wrong kind.
        """
        text = os.environ.get(var)
        if text is None:
            return default
        if not text.isprintable():
            raise ImproperlyConfigured(f"{var} must be one line of UTF-8 without control characters.")
        if cast is list:
            return [part for part in map(str.strip, text.split(",")) if part]
        if cast is bool:
            return _bool(var, text)
        return _int(var, text) if cast is int else text

    def positive_int(self, var: str, *, default: int) -> int:
        """Return the value of a variable that is a whole number from 1 up.

        Raises:
            ImproperlyConfigured: it is not.
        """
        text = self.str(var, default=str(default)).strip()
        if text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and int(text) > 0:
            return int(text)
        raise ImproperlyConfigured(
            f"{var} must be a whole number from 1 to 999999999. Set it, or remove it: {default}."
        )


def _bool(var: str, text: str) -> bool:
    value = BOOLEANS.get(text.strip().lower())
    if value is None:
        raise ImproperlyConfigured(f"{var} must be on or off, true or false, yes or no, 1 or 0.")
    return value


def _int(var: str, text: str) -> int:
    if not re.fullmatch(r"\s*-?[0-9]{1,9}\s*", text):
        raise ImproperlyConfigured(f"{var} must be a whole number of at most nine digits.")
    return int(text)


def existing_directory(var: str, directory: Path) -> None:
    """Make a directory where it is missing.

    Raises:
        ImproperlyConfigured: this user cannot make it, or cannot write to it.
    """
    try:
        # SQLite creates its file, but not the directory.
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{var} names a directory that cannot be made: {error.strerror}. {REMEDY}."
        ) from None
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{var} names a directory that this user cannot write to. {REMEDY}.")


def welcome_sku(file: Path) -> str | None:
    """Return the WELCOME_SKU that `make run` chose, if there is such a file; it may be nobody else's.

    Raises:
        ImproperlyConfigured: somebody else may have written it, or it cannot be read.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as opened:
            found = os.fstat(descriptor)
            is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid()
            if not is_ours or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise PermissionError
            lines = opened.read(10_000).decode().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (None, errno.ELOOP, errno.EISDIR):
            raise ImproperlyConfigured(f"DATA_DIR cannot be used: {error.strerror}. {REMEDY}.") from None
        raise ImproperlyConfigured(f"DATA_DIR {NOT_OURS}") from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"DATA_DIR {NOT_OURS}") from None
    return next((line.removeprefix("WELCOME_SKU=") for line in lines if line.startswith("WELCOME_SKU=")), None)


def data_directory(text: str) -> Path:
    """Return the path of DATA_DIR without links.

    Raises:
        ImproperlyConfigured: it is a link to itself.
    """
    try:
        return Path(text).resolve()
    except (OSError, RuntimeError):
        raise ImproperlyConfigured("DATA_DIR cannot be used: it is a link to itself. Set it to a directory.") from None


env = Environment()

# The directory of the SQLite database, the socket of the bundled Redis, and mails that are written to files.
DATA_DIR = data_directory(env.str("DATA_DIR", default=str(BASE_DIR / ".data")))
# What `make run` chose, so that a worker started from another shell uses the same. The environment takes precedence.
if (_chosen := welcome_sku(DATA_DIR / "env")) is not None:
    os.environ.setdefault("WELCOME_SKU", _chosen)

# For your own machine: error pages show their causes, `demo_data` adds a demo admin, and the default SECRET_KEY is
# accepted.
DEBUG: bool = env.bool("DEBUG", default=False)
