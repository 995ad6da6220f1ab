"""The environment variables, and those settings that other settings are made of."""

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(environ.Env):  # type: ignore[misc]
    """The environment; its errors name the variable."""

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any) -> Any:
        """Return the value of a variable.

        Raises:
            ImproperlyConfigured: the value has the wrong type.
        """
        try:
            return super().get_value(var, cast=cast, default=default, **options)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} is {os.environ.get(var)!r}: {error}.") from error

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


env = Environment()

# The directory of the SQLite database, the socket of the bundled Redis, and mails that are written to files.
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
# The values that `make run` chose, so that a worker started from another shell uses the same. The environment takes
# precedence.
if (DATA_DIR / "env").is_file():
    env.read_env(DATA_DIR / "env")

# For your own machine: error pages show their causes, `demo_data` adds a demo admin, and the default SECRET_KEY is
# accepted.
DEBUG: bool = env.bool("DEBUG", default=False)
