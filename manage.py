#!/usr/bin/env python
"""Django's command line, for Orderly."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

#: Of requirements-local.txt: what `up`, `demo` and `simulate` import, and production does not install.
LOCAL_PACKAGES = ("honcho", "httpx")

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # Not by project/bus/text.py, which cannot be imported while the settings cannot.
        text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(error))
        sys.stderr.write(f"{text}\n")
        sys.exit(2)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in LOCAL_PACKAGES:
            raise
        sys.stderr.write(
            f"This command needs the package {package}, which production does not install: run "
            f"{os.path.relpath(sys.executable)} -m pip install -r requirements-local.txt\n"
        )
        sys.exit(1)
