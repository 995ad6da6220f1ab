"""What Orderly writes is for its user alone, also where the umask lets everybody read."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from project.console.harness.private_files import claim_directory, claim_files, replace_file
from tests.console.leftovers import ProcessMarker
from tests.system import ROOT, eventually, free_port

pytestmark = pytest.mark.once

#: What most systems have: everybody may read.
OPEN_UMASK = 0o022


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def open_to_others(directory: Path) -> list[tuple[str, str]]:
    found = [directory, *directory.rglob("*")]
    return [(str(path), oct(mode(path))) for path in found if mode(path) & 0o077 and not path.is_symlink()]


class FreshCheckout:
    """A data directory and a port of its own, used as by somebody who has just cloned the project."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.port = free_port()
        self.marker = ProcessMarker(directory)
        own = {"DATA_DIR": str(self.data), "PORT": str(self.port), "TMPDIR": str(directory), **self.marker.environment}
        kept = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "EMAIL_URL", "DEBUG", "MAKEFLAGS")
        self.environment = {name: value for name, value in os.environ.items() if name not in kept} | own
        self.log = directory / "log"

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environment, umask=OPEN_UMASK, stdout=log, stderr=subprocess.STDOUT
            )

    def run(self, *command: str) -> None:
        assert self.start(*command).wait(timeout=100) == 0, self.log.read_text()


@pytest.fixture
def checkout() -> Iterator[FreshCheckout]:
    with tempfile.TemporaryDirectory(prefix="orderly-") as directory:
        checkout = FreshCheckout(Path(directory))
        yield checkout
        checkout.marker.kill()
        eventually(lambda: not checkout.marker.processes(), within=15, what="its processes are gone")


def make_run(checkout: FreshCheckout) -> subprocess.Popen[bytes]:
    """Start `make run` without its installation, and wait until everything runs."""
    run = checkout.start("make", f"PY={sys.executable}", "-o", ".venv/.installed-local", "run")
    said = "Ctrl-C stops everything"
    eventually(lambda: said in checkout.log.read_text(), within=90, what=f"{said}: {checkout.log.read_text()}")
    return run


def test_no_other_user_can_read_what_make_run_and_a_simulation_write(checkout):
    run = make_run(checkout)
    site = f"http://127.0.0.1:{checkout.port}"
    person = {"email": "anna@example.org", "password": "a password of hers", "name": "Anna"}
    assert httpx.post(f"{site}/api/v1/users/", json=person).status_code == 201
    eventually(lambda: list((checkout.data / "mail").glob("*")), within=60, what="the welcome mail")
    checkout.run(sys.executable, "manage.py", "simulate", "--users", "1", "--orders", "2")
    written = {path.name for path in checkout.data.rglob("*")}
    assert {"env", "mail", "orderly.sqlite3", "orderly.sqlite3-wal", "redis.sock"} <= written
    assert (checkout.data / "env").read_text() == "WELCOME_SKU=WELCOME\n"
    assert open_to_others(checkout.data) == []
    run.terminate()
    run.wait(timeout=30)
    assert open_to_others(checkout.data) == []


def test_up_closes_the_data_of_an_older_release_and_says_so(checkout):
    mails = checkout.data / "mail"
    mails.mkdir(parents=True)
    for file in (checkout.data / "env", checkout.data / "orderly.sqlite3", mails / "welcome.log"):
        file.touch()
        file.chmod(0o644)
    mails.chmod(0o755)
    checkout.data.chmod(0o775)
    checkout.environment["DEBUG"] = "1"
    refused = checkout.start(sys.executable, "manage.py", "up")
    assert refused.wait(timeout=60) == 1  # the database is empty
    assert open_to_others(checkout.data) == []
    said = [line for line in checkout.log.read_text().splitlines() if line.endswith("open to its owner alone")]
    assert [line.split()[0] for line in said] == [
        str(path.resolve())
        for path in (
            *(checkout.data, mails, checkout.data / "env", mails / "welcome.log"),
            checkout.data / "orderly.sqlite3",
        )
    ]


@pytest.mark.parametrize("command", ["manage.py", "celery", "project.wsgi", "project.asgi"])
def test_every_way_to_start_a_process_sets_the_umask(checkout, command):
    programs = {
        "manage.py": [sys.executable, "manage.py", "shell", "-c", "{}"],
        "celery": [sys.executable, "-c", "import celery.bin.celery; from project.celery import app; {}"],
        "project.wsgi": [sys.executable, "-c", "import project.wsgi; {}"],
        "project.asgi": [sys.executable, "-c", "import project.asgi; {}"],
    }
    ask = f"import os, pathlib; pathlib.Path({str(checkout.log.parent / 'asked')!r}).write_text('')"
    checkout.environment["DEBUG"] = "1"
    checkout.run(*(word.replace("{}", ask) for word in programs[command]))
    assert mode(checkout.log.parent / "asked") == 0o600


def test_a_directory_is_made_for_its_owner_alone(tmp_path):
    assert claim_directory(tmp_path / "one" / "two") == []
    assert mode(tmp_path / "one" / "two") == 0o700


def test_an_open_directory_is_closed_and_told_once(tmp_path):
    tmp_path.chmod(0o755)
    assert claim_directory(tmp_path) == [tmp_path]
    assert claim_directory(tmp_path) == []
    assert mode(tmp_path) == 0o700


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(NotADirectoryError, match="is not a directory: remove it"):
        claim_directory(tmp_path / "data")


def test_a_directory_that_everybody_can_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o1777)
    with pytest.raises(PermissionError, match=f"look at what is in it, then chmod 700 {tmp_path}"):
        claim_directory(tmp_path)
    assert mode(tmp_path) == 0o1777


def test_a_file_that_everybody_can_replace_is_refused(tmp_path):
    (tmp_path / "shop.sqlite3").touch()
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match=f"chmod 700 {tmp_path}"):
        claim_files([tmp_path / "shop.sqlite3"])
    tmp_path.chmod(0o1777)  # as /tmp, where nobody can remove the file of somebody else
    (tmp_path / "shop.sqlite3").chmod(0o640)
    assert claim_files([tmp_path / "shop.sqlite3", tmp_path / "missing"]) == [tmp_path / "shop.sqlite3"]
    assert mode(tmp_path / "shop.sqlite3") == 0o600


@pytest.fixture
def another_user(monkeypatch):
    """Be somebody else, who owns nothing here; nobody trusts root, whose files those of the test may be."""
    us = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: us)
    monkeypatch.setattr("project.console.harness.private_files.ROOT_UID", us)
    return us


def test_data_of_another_user_is_refused(tmp_path, another_user):
    (tmp_path / "env").touch()
    for claim in (lambda: claim_directory(tmp_path), lambda: claim_files([tmp_path / "env"])):
        with pytest.raises(
            PermissionError,
            match=rf"belongs to the user \d+, .*: look at what is in it first, .* or chown -hR {another_user} ",
        ):
            claim()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("kind", ["directory", "entry", "link"])
def test_what_another_user_owns_or_has_put_there_is_refused(tmp_path, kind):
    data, target = tmp_path / "data", tmp_path / "target"
    target.mkdir()
    if kind == "link":
        data.symlink_to(target)
        os.chown(data, 65534, 65534, follow_symlinks=False)
    else:
        data.mkdir()
        (data / "orderly.sqlite3").touch()
        os.chown(data if kind == "directory" else data / "orderly.sqlite3", 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to the user 65534"):
        claim_directory(data)


def test_a_file_is_written_in_the_place_of_a_link_and_not_through_it(tmp_path):
    (tmp_path / "target").write_text("kept")
    (tmp_path / "env").symlink_to(tmp_path / "target")
    replace_file(tmp_path / "env", "WELCOME_SKU=TEA\n")
    assert (tmp_path / "env").read_text() == "WELCOME_SKU=TEA\n"
    assert not (tmp_path / "env").is_symlink()
    assert mode(tmp_path / "env") == 0o600
    assert (tmp_path / "target").read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"env", "target"}


def test_make_run_writes_nothing_through_a_link(checkout):
    checkout.data.mkdir()
    target = checkout.log.parent / "target"
    target.write_text("kept")
    (checkout.data / "env").symlink_to(target)
    refused = checkout.start("make", f"PY={sys.executable}", "-o", ".venv/.installed-local", "run")
    assert refused.wait(timeout=60) != 0
    assert "look at what is in it, then remove it" in checkout.log.read_text()
    assert target.read_text() == "kept"


def test_a_link_of_ours_to_a_directory_of_ours_is_followed(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    target.chmod(0o755)
    link.symlink_to(target)
    assert claim_directory(link) == [link]
    assert mode(target) == 0o700
