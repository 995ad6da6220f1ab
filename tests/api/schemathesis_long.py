"""python -m tests.api.schemathesis_long: schemathesis against a running system, for minutes.

It starts `manage.py up` in a directory of its own, and calls it as nobody, as a customer, as staff and as a superuser.
It prints how often each status was answered, and each violation of the OpenAPI description, an undocumented answer
among them. It exits with 1 if there is a violation or a server error.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import schemathesis
from schemathesis.config import SchemathesisConfig

from project.console.harness import process, programs
from tests.api.schemathesis_checks import KINDS, check_operations, configuration

ROOT = Path(__file__).parent.parent.parent
START_LIMIT_S, STOP_LIMIT_S = 90.0, 15.0
PHASES = ("examples", "coverage", "fuzzing", "stateful")
NEW_TOKEN = """
from rest_framework_simplejwt.tokens import AccessToken
from users.models import User
account = User.objects.create_user({email!r}, None, **{fields!r})
print("token", AccessToken.for_user(account))
"""


def main() -> None:
    """Run as each kind of account, and exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=160, help="for each kind of account (default: 160)")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orderly-") as directory:
        environment = os.environ | {
            "DATA_DIR": directory,
            "TMPDIR": directory,
            "PORT": str(process.free_port()),
            "DEBUG": "1",
            # Else most calls of a minute would be answered 429.
            "UNSAFE_CALLS_PER_MINUTE": "1000000",
        }
        manage("migrate", "--verbosity", "0", environment=environment)
        manage("demo_data", environment=environment)
        wrong = run(options.kind or list(KINDS), seconds=options.seconds, environment=environment)
    sys.exit(1 if wrong else 0)


def run(kinds: list[str], *, seconds: int, environment: Mapping[str, str]) -> int:
    """Return how many server errors and violations there are."""
    wrong = 0
    log = Path(environment["DATA_DIR"]) / "up.log"
    with log.open("wb") as output:
        up = process.start(
            programs.manage("up"), cwd=ROOT, environment=environment, stdout=output, dies_with_parent=True
        )
    try:
        url = f"http://127.0.0.1:{environment['PORT']}"
        process.wait_until(
            lambda: b"Listening at" in log.read_bytes(), within_s=START_LIMIT_S, what="the server listens", process=up
        )
        for kind in kinds:
            token = new_token(kind, environment=environment)
            config = SchemathesisConfig.from_dict(configuration(token=token, phases=PHASES, **{"max-time": seconds}))
            findings = check_operations(schemathesis.openapi.from_url(f"{url}/api/schema/", config=config))
            wrong += findings.server_errors + findings.violations.total()
            say(
                f"{kind}: {findings.statuses.total()} calls, {findings.server_errors} server errors, "
                f"{findings.violations.total()} violations; statuses {dict(sorted(findings.statuses.items()))}"
            )
            for violation, times in findings.violations.most_common():
                say(f"  {times} x {violation}\n    {findings.examples[violation]}")
    finally:
        process.stop(up, limit_s=STOP_LIMIT_S)
    tracebacks = log.read_text(errors="replace").count("Traceback")
    say(f"tracebacks in the log: {tracebacks}")
    return wrong + tracebacks


def new_token(kind: str, *, environment: Mapping[str, str]) -> str:
    """A token of a new account; empty for nobody."""
    fields = KINDS[kind]
    if fields is None:
        return ""
    script = NEW_TOKEN.format(email=f"{kind}@example.org", fields=fields)
    (line,) = [line for line in manage("shell", "-c", script, environment=environment).splitlines() if "token " in line]
    return line.partition("token ")[2]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def manage(*arguments: str, environment: Mapping[str, str]) -> str:
    done = process.run_manage(*arguments, cwd=ROOT, environment=environment)
    if done.returncode != 0:
        sys.exit(f"manage.py {arguments[0]} failed: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
