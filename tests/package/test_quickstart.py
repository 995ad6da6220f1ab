"""The built package in an empty environment, in a project that has a Celery app and a task of its own."""

import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from django.conf import settings

from project.console.harness import redis_server
from project.console.harness.process_table import ProcessTable
from tests.faults import hostile
from tests.package import quickstart
from tests.system import eventually

pytestmark = pytest.mark.skipif(
    "sqlite3" not in settings.DATABASES["default"]["ENGINE"], reason="it has a database of its own: once is enough"
)

PUBLISH = """
import django
django.setup()
from django.db import transaction
from orderly_bus import publish
from shop.events import ItemSold
with transaction.atomic():
    publish(*(ItemSold(item="cap", price=5) for _ in range(20)))
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with nothing but the wheel and what it requires."""
    directory = tmp_path_factory.mktemp("package")
    wheel = quickstart.build_wheel(directory / "dist")
    return quickstart.install(directory / "environment", f"{wheel}[redis]")


@pytest.fixture
def site(programs: Path) -> Iterator[ProcessTable]:
    """The project of the page, migrated, with its relay, its worker and a Redis."""
    # A unix socket's path is short, pytest's directories are not.
    with tempfile.TemporaryDirectory(prefix="orderly-") as name:
        directory = Path(name)
        quickstart.write_project(directory)
        environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": name,
            "BROKER_URL": f"redis+socket://{directory / 'redis.sock'}",
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
        }
        site = ProcessTable(directory, cwd=directory, environment=environment)
        try:
            site.processes["redis"] = redis_server.start(directory / "redis.sock", log=site.log("redis"))
            for command in (["makemigrations", "shop"], ["migrate"]):
                subprocess.run([programs / "python", "manage.py", *command], cwd=directory, env=environment, check=True)
            site.start("relay", str(programs / "python"), "manage.py", "bus", "relay")
            site.start("worker", str(programs / "celery"), "-A", "mysite", "worker", "-c", "1", "--loglevel", "INFO")
            site.wait_for_worker("worker")
            yield site
        finally:
            site.kill_all()
            print(site.tails())  # noqa: T201 - pytest captures it


def run(site: ProcessTable, *words: str) -> str:
    """What one of the page's commands prints."""
    done = subprocess.run(
        [*words], cwd=site.directory, env=site.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sold(site: ProcessTable, item: str) -> object:
    (count,) = quickstart.rows(site.directory, f"SELECT count(*) FROM shop_sale WHERE item = '{item}'")[0]
    return count


def test_one_worker_handles_the_first_event_and_runs_the_projects_own_task(site, programs):
    python = str(programs / "python")
    run(site, python, "sell.py")
    eventually(lambda: sold(site, "hat") == 1, within=30, what="the event is handled")
    eventually(lambda: sold(site, "hello Ada") == 1, within=30, what="the task has run")
    for _ in range(3):
        run(site, python, "sell.py")
    eventually(lambda: (sold(site, "hat"), sold(site, "hello Ada")) == (4, 4), within=30, what="both, in turn")
    assert quickstart.rows(site.directory, "SELECT outcome, count(*) FROM bus_receipt GROUP BY 1") == [("done", 4)]
    assert "deliveries done" in run(site, python, "manage.py", "bus", "status")


def test_messages_that_are_not_bells_are_refused_on_the_bus_queue_and_other_queues_are_left_to_celery(site, programs):
    worker = psutil.Process(site.processes["worker"].pid)
    messages = [payload for _, payload in hostile.redis_corpus() if len(payload) < 1_000_000]
    assert len(messages) >= 40
    with redis.Redis(unix_socket_path=str(site.directory / "redis.sock")) as client:
        client.lpush("shop", *messages)
        # With arguments and an ETA: refused as a bell, and an ordinary message to a project's own task.
        delayed = "from shop.tasks import say_hello; say_hello.apply_async(['Grace'], countdown=1)"
        run(site, str(programs / "python"), "-c", f"import django; django.setup(); {delayed}")
        run(site, str(programs / "python"), "-c", PUBLISH)
        eventually(lambda: sold(site, "cap") == 20, within=60, what="events behind the messages are handled")
        eventually(lambda: sold(site, "hello Grace") == 1, within=30, what="the delayed task has run")
        refused = "SELECT queue, sum(count) FROM bus_refusedmessage GROUP BY queue"
        eventually(
            lambda: quickstart.rows(site.directory, refused) == [("shop", len(messages))],
            within=30,
            what="each message is refused and counted",
        )
        assert not client.exists("celery")
    assert worker.is_running()
    assert worker.status() != psutil.STATUS_ZOMBIE


def test_the_package_is_typed_and_shows_its_public_names(programs):
    names = "BusError Event PermanentError TransientError configure idempotency_key publish subscribe upcast"
    code = "import orderly_bus; print(*sorted(orderly_bus.__all__))"
    printed = subprocess.run([programs / "python", "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == names
    (package,) = (programs.parent / "lib").glob("python*/site-packages/orderly_bus")
    assert (package / "py.typed").is_file()
    assert not (package / "pyproject.toml").exists()


def test_the_package_has_the_version_and_the_license_of_the_project():
    projects = [tomllib.loads((folder / "pyproject.toml").read_text()) for folder in (quickstart.ROOT, quickstart.BUS)]
    assert len({project["project"]["version"] for project in projects}) == 1
    assert len({project["project"]["license"] for project in projects}) == 1
    assert (quickstart.BUS / "LICENSE").read_text() == (quickstart.ROOT / "LICENSE").read_text()
    required = projects[1]["build-system"]["requires"]
    assert set(required) <= {entry for entry in projects[0]["dependency-groups"]["dev"] if isinstance(entry, str)}
