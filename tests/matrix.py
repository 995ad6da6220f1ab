"""python -m tests.matrix: run lint and tests on each Python that the project supports, and on Django 6.1.

Each combination has an environment of its own in .venv-matrix/, made by uv from a hashed requirements file. A Python
that is not installed is skipped, in one line that says so. `make test-matrix` runs everything, on both databases, which
takes as long as one `make lint test` for each combination; with ARGS=--short it runs a selection on SQLite, and leaves
out the Python that `make test` uses.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ROOT / ".venv-matrix"
UV = ROOT / ".venv" / "bin" / "uv"

DJANGO_LTS, DJANGO_NEWEST = "requirements-dev.txt", "requirements-django61.txt"
PYTHONS = ("3.11", "3.12", "3.13")
#: Django 6.1 runs on these, and is tested on the newest that is installed.
PYTHONS_OF_DJANGO_NEWEST = ("3.13", "3.12")

#: The tests of the short form: the bus, the services, and one test with real processes.
SHORT = (
    "tests/bus",
    "tests/users",
    "tests/orders",
    "tests/inventory/test_reserving.py",
    "tests/api/test_problems.py",
    "tests/faults/test_workers.py::test_users_and_orders_flow_through_real_queues_and_workers",
)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An interpreter, and the requirements that are installed for it."""

    python: Path
    version: str
    requirements: str

    @property
    def name(self) -> str:
        """The name of its directory, such as python3.13-django61."""
        return f"python{self.version}" + ("-django61" if self.requirements == DJANGO_NEWEST else "")

    @property
    def bin(self) -> Path:
        """The directory of its programs."""
        return ENVIRONMENTS / self.name / "bin"

    def install(self) -> None:
        """Make the environment, unless it is there with exactly these requirements and this interpreter."""
        text = f"{self.python}\n{(ROOT / self.requirements).read_text()}"
        digest, installed = hashlib.sha256(text.encode()).hexdigest(), ENVIRONMENTS / self.name / ".installed"
        if installed.is_file() and installed.read_text() == digest:
            return
        shutil.rmtree(ENVIRONMENTS / self.name, ignore_errors=True)
        uv: list[str | Path] = [UV, "--quiet"]
        subprocess.run([*uv, "venv", "--python", self.python, ENVIRONMENTS / self.name], check=True)
        install = [*uv, "pip", "install", "--require-hashes", "--python", self.bin / "python", "-r", self.requirements]
        subprocess.run(install, check=True, cwd=ROOT)
        installed.write_text(digest)


def say(line: str) -> None:
    """Print at once, before the output of the programs that follow."""
    print(line, flush=True)  # noqa: T201


def interpreter(version: str) -> Path | None:
    """Find an installed Python such as 3.12: on PATH, installed by uv, or by pyenv even if it is not active there."""
    found = subprocess.run(
        [UV, "python", "find", "--no-project", "--no-python-downloads", version],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT.anchor,  # otherwise uv prefers the project's .venv
    )
    if found.returncode == 0:
        return Path(found.stdout.strip())
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return next(iter(sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)), None)


def environments(*, short: bool) -> Iterator[Environment]:
    """Yield the environments to test, and print those that are skipped."""
    pythons = {version: interpreter(version) for version in PYTHONS}
    for version, python in pythons.items():
        if python is None:
            say(f"SKIPPED: Python {version} is not installed")
        elif not short or version != f"{sys.version_info.major}.{sys.version_info.minor}":
            yield Environment(python=python, version=version, requirements=DJANGO_LTS)
    for version in PYTHONS_OF_DJANGO_NEWEST:
        if python := pythons[version]:
            yield Environment(python=python, version=version, requirements=DJANGO_NEWEST)
            return
    say(f"SKIPPED: Django 6.1, which needs Python {' or '.join(PYTHONS_OF_DJANGO_NEWEST)}")


def commands(environment: Environment, *, short: bool, arguments: list[str]) -> Iterator[list[str | Path]]:
    """Yield the commands to run in an environment; all must succeed."""
    programs = environment.bin
    pytest: list[str | Path] = [programs / "python", "-m", "pytest", "-q", "-n", "auto", *arguments]
    if short:
        yield [*pytest, *SHORT]
        return
    yield [programs / "ruff", "check", "."]
    yield [programs / "ruff", "format", "--check", "."]
    yield [programs / "mypy", "--cache-dir", ENVIRONMENTS / environment.name / ".mypy_cache"]
    yield [programs / "lint-imports"]
    yield pytest
    yield [programs / "python", "-m", "tests.with_postgres", *pytest]


def succeeds(environment: Environment, *, short: bool, arguments: list[str]) -> bool:
    """Run all commands in an environment, with its own data directory."""
    with tempfile.TemporaryDirectory(prefix="orderly-matrix-") as directory:
        variables = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "VIRTUAL_ENV")}
        variables |= {"DATA_DIR": directory, "PATH": f"{environment.bin}{os.pathsep}{os.environ['PATH']}"}
        codes = [
            subprocess.call(command, cwd=ROOT, env=variables)
            for command in commands(environment, short=short, arguments=arguments)
        ]
    return not any(codes)


def main(words: list[str]) -> int:
    """Test all environments; return 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a selection of the tests, on SQLite")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args(words)
    results = {}
    for environment in environments(short=options.short):
        say(f"=== {environment.name}")
        environment.install()
        results[environment.name] = succeeds(environment, short=options.short, arguments=options.pytest)
    for name, succeeded in results.items():
        say(f"{name}: {'passed' if succeeded else 'FAILED'}")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
