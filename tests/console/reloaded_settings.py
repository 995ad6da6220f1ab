"""Reads the settings with each hostile value of each variable, and prints as JSON what they say to it.

tests/console/test_hostile_settings.py runs this as a process, because the settings of its own must stay as they are.
"""

import json
import os
import sys
import traceback

CANARY = "S3CRET"
#: What an operator, a password or a mistake may put into any variable.
VALUES = [
    *(
        f"{CANARY}{rest}"
        for rest in ("/pw", "?", "#", "[x", "[::1]", "@", ":", "%zz", "%00", "%ff", "$x", "'", '"', "\\")
    ),
    *(
        f"{CANARY}{rest}"
        for rest in (" x", ",", ";", "\n", "\r\n", "\x1b[31m", "\x7f", "\u2028", "\u2100", "\udcff", "é")
    ),
    *(f"${CANARY}", f"${{{CANARY}}}", f'"{CANARY}"', f"'{CANARY}'", f" {CANARY} ", f"[{CANARY}]", f"#{CANARY}"),
    *(f"{CANARY}://x", f"http://{CANARY}", f"https://[{CANARY}", f"https://h:{CANARY}", f"https://[::1{CANARY}]"),
    *(f"/proc/{CANARY}", f"/etc/passwd/{CANARY}", f"/dev/null/{CANARY}", CANARY * 2_000, "9" * 60, "9" * 5_000),
    *(f"1{CANARY}", "-1", "1.5", "", " ", ","),
]


def answer(name: str, value: str) -> tuple[str, str]:
    """The kind of the error with which the settings refuse a value, if they do, and all that is printed about it."""
    for module in list(sys.modules):
        if module.startswith("project.") and module.endswith(("settings", "environment")):
            del sys.modules[module]
    before = dict(os.environ)
    os.environ[name] = value
    try:
        __import__("project.settings")
    except Exception as error:  # noqa: BLE001 - any is an answer
        return f"{type(error).__name__}: {error}", traceback.format_exc()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return "", ""


if __name__ == "__main__":
    json.dump([(name, ascii(value), *answer(name, value)) for name in sys.argv[1:] for value in VALUES], sys.stdout)
