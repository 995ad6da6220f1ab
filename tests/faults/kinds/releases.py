"""Rolling restarts under load: of the same release, and to the next release and back."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.faults.brokers import QUEUES
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.system import ROOT, eventually

PACKAGES = ("project", "users", "orders", "inventory", "tests")
#: What the next release changes: a file, a text in it, and its replacement. It adds a column, because migrations may
#: only add (docs/operations.md), and an event field without a default, which needs a new version of the event.
CHANGES = (
    ("project/events.py", "import Event\n", "import Event, upcast\n"),
    ("project/events.py", 'name="orders.order_placed", ', 'name="orders.order_placed", version=2, '),
    ("project/events.py", "    lines: list[Line]\n", "    lines: list[Line]\n    channel: str\n"),
    ("orders/operations/placing.py", "lines=list(order.lines),", 'channel="next", lines=list(order.lines),'),
    ("orders/operations/placing.py", "total, reason, is_welcome)", "total, reason, is_welcome, channel)"),
    ("orders/operations/placing.py", "total, '', is_welcome FROM", "total, '', is_welcome, 'next' FROM"),
    (
        "orders/models.py",
        "    placed_at = ",
        '    channel = models.CharField(max_length=20, default="", db_default="")\n    placed_at = ',
    ),
)
UPCASTER = """

@upcast(OrderPlaced, from_version=1)
def say_the_channel(data: dict) -> dict:
    return {**data, "channel": "this"}
"""
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "{last}")]
    operations = [migrations.AddField("order", "channel", models.CharField(max_length=20, default="", db_default=""))]
"""


def terminate_cleanly(cluster: Cluster, *names: str) -> None:
    """Send SIGTERM to processes, which must end with exit code 0."""
    for name, process in cluster.terminate(*names).items():
        assert process.returncode == 0, f"{name} ended with {process.returncode}"


def roll_workers(cluster: Cluster, client: Client, *, number: int, **environment: str) -> None:
    """Restart one worker of each queue, while the other one goes on."""
    client.grant(len(QUEUES))
    names = [f"{queue}{number}" for queue in QUEUES]
    try:
        terminate_cleanly(cluster, *names)
    finally:  # a finding here must not become one of every later fault
        cluster.start_workers(*names, **environment)


def roll_relays(cluster: Cluster) -> None:
    """Restart one relay after the other."""
    for name in ("relay1", "relay2"):
        terminate_cleanly(cluster, name)
        cluster.start_named(name)


def roll_web(cluster: Cluster) -> None:
    """Send new requests to a new web server, and stop the old one once it has no connection left."""
    old, port = cluster.processes["web"], cluster.web_port
    try:
        cluster.start_named("web")
        eventually(
            lambda: not cluster.web_proxy.connected_to(port), within=20, what="the old web server has no connection"
        )
    finally:
        old.terminate()
        old.wait(timeout=40)
    assert old.returncode == 0, f"the web server ended with {old.returncode}"


def restart_wrong(cluster: Cluster, *, wrong: Callable[[psutil.Process], bool]) -> None:
    """Start the processes that are missing, and restart those that are wrong."""
    for name in ("web", "relay1", "relay2", *cluster.workers()):
        if name in cluster.processes:
            if not wrong(cluster.main_process(name)):
                continue
            cluster.kill(name)
        cluster.start_named(name, wait=False)
    for name in cluster.workers():
        cluster.wait_for_worker(name)


@fault("rolling restart by SIGTERM", area="release", seconds=15)
def rolling_restart(cluster: Cluster, client: Client) -> None:
    """One worker of each queue, then the other, under load; each ends with exit code 0."""
    before = {name: cluster.main_process(name).pid for name in cluster.workers()}
    with client.steady_load(every=0.3):
        for number in (1, 2):
            roll_workers(cluster, client, number=number)
    assert not [name for name, pid in before.items() if cluster.main_process(name).pid == pid]


def next_release(directory: Path) -> Path:
    """Make the next release from this one, unless it is there."""
    if directory.exists():
        return directory
    for part in PACKAGES:
        shutil.copytree(ROOT / part, directory / part)
    shutil.copy2(ROOT / "manage.py", directory)
    for file, old, new in CHANGES:
        code = (directory / file).read_text()
        assert code.count(old) == 1, f"{file} has {old!r} {code.count(old)} times"
        (directory / file).write_text(code.replace(old, new))
    with (directory / "project/events.py").open("a") as events:
        events.write(UPCASTER)
    migrations = directory / "orders/migrations"
    last = max(file.stem for file in migrations.glob("[0-9]*.py"))
    (migrations / f"{int(last[:4]) + 1:04}_channel.py").write_text(MIGRATION.format(last=last))
    return directory


@fault("upgrade to the next release and back", area="release", seconds=60)
def upgrade_and_back(cluster: Cluster, client: Client) -> None:
    """As in docs/operations.md: migrate, workers, relays, web; then web, relays, workers. No order is refused."""
    eventually(client.is_idle, within=20, what="the orders from before are placed")
    first, since = len(client.history), cluster.now()
    try:
        cluster.cwd = next_release(cluster.directory / "next")
        cluster.manage_successfully("migrate", "--verbosity", "0")
        for number in (1, 2):
            roll_workers(cluster, client, number=number)
        place_and_settle(cluster, client, orders=4)
        assert versions(cluster, since=since) == {1}, "an old release published a new version"
        roll_relays(cluster)
        client.grant(4)
        roll_web(cluster)
        assert {Path(cluster.main_process(name).cwd()) for name in cluster.processes} == {cluster.cwd}
        place_and_settle(cluster, client, orders=4)
        assert versions(cluster, since=since) == {1, 2}, "the new release published no new version"

        cluster.cwd = ROOT
        client.grant(4)
        roll_web(cluster)
        roll_relays(cluster)
        eventually(lambda: not is_unsettled(cluster, version=2), within=10, what="events of version 2 are handled")
        for number in (2, 1):
            roll_workers(cluster, client, number=number)
        place_and_settle(cluster, client, orders=4)
    finally:
        cluster.cwd = ROOT
        cluster.restart_dead()
        if Path(cluster.main_process("web").cwd()) != ROOT:
            roll_web(cluster)
        # Even after a failure above: what only the next release knows must be done before its workers stop. If an older
        # worker took it meanwhile, that takes half a minute more.
        with suppress(AssertionError):
            eventually(lambda: not is_unsettled(cluster, version=2), within=40, what="events of version 2 are handled")
        restart_wrong(cluster, wrong=lambda process: Path(process.cwd()) != ROOT)
    channels = dict(cluster.sql("SELECT channel, count(*) FROM orders_order WHERE placed_at > %s GROUP BY 1", since))
    assert set(channels) == {"", "next"}, channels
    refused = [attempt for attempt in client.history[first:] if attempt.outcome != "acknowledged"]
    assert not refused, refused


def place_and_settle(cluster: Cluster, client: Client, *, orders: int) -> None:
    """Place orders, and wait until everything is settled."""
    client.grant(orders)
    eventually(client.is_idle, within=20, what="the orders are placed")
    eventually(lambda: not cluster.unsettled_deliveries(), within=20, what="everything is settled")


def versions(cluster: Cluster, *, since: object) -> set[int]:
    """The versions of OrderPlaced that were published since this time."""
    query = "SELECT DISTINCT version FROM bus_event WHERE type = 'orders.order_placed' AND time > %s"
    return {row[0] for row in cluster.sql(query, since)}


def is_unsettled(cluster: Cluster, *, version: int) -> bool:
    """Whether any delivery of a version of OrderPlaced is left."""
    query = "SELECT 1 FROM bus_delivery d JOIN bus_event e ON e.id = d.event_id WHERE e.type = %s AND e.version = %s"
    return bool(cluster.sql(query, "orders.order_placed", version))
