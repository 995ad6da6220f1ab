"""Fixtures of the tests of faults."""

import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from inventory import operations as inventory
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster, cluster
from tests.services import need_rabbitmq, wait_for_coverage


@pytest.fixture(autouse=True)
def _no_quotas(settings: Any) -> None:
    """Let one customer place hundreds of orders, within this process."""
    settings.MAX_OPEN_ORDERS = settings.MAX_HELD_UNITS = 1_000_000


@pytest.fixture
def cups(transactional_db: None, drain: Callable[[], None]) -> None:
    """A hundred thousand cups."""
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"), currency="EUR")
    inventory.add_location(code="MAIN", name="Main store")
    inventory.receive_stock(sku="CUP", location="MAIN", quantity=100_000, reason="first delivery")
    drain()


@pytest.fixture(scope="module")
def started(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster for the tests of a module, on the broker that the module names."""
    if "postgresql" not in settings.DATABASES["default"]["ENGINE"]:
        pytest.skip("the cluster starts a PostgreSQL of its own: once is enough")
    if request.module.BROKER == "rabbitmq":
        need_rabbitmq()
    with (
        tempfile.TemporaryDirectory(prefix="orderly-faults-") as directory,
        cluster(Path(directory), broker=request.module.BROKER, fsync=False, shortened=True) as started,
    ):
        yield started
        wait_for_coverage()


@pytest.fixture(scope="module")
def client(started: Cluster) -> Iterator[Client]:
    """A client that places orders on the cluster."""
    client = Client(started.url, registered=started.confirm_addresses)
    client.start()
    yield client
    client.stop()
