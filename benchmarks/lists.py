"""Database time of the lists of orders and products, in admin and API, with a hundred thousand orders.

    DATABASE_URL=postgres://... python benchmarks/lists.py [--orders 100000]
    python -m tests.with_postgres python benchmarks/lists.py

Makes a scratch database beside the one that DATABASE_URL names, and drops it. Exits 1 if a page takes longer than the
limit: the median of several requests, each the sum of the times of all its queries, those of the login included.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import django  # noqa: E402 - the checkout is not installed, so it must be on the path first
import psycopg  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

PASSWORD = "correct horse battery"  # noqa: S105 - of a database that is dropped
CUSTOMERS, PRODUCTS = 20_000, 10_000
REPETITIONS = 7

LOAD = """
-- A UUIDv7 of the n-th row of a kind: it grows with n, as those do that are made one after the other.
CREATE FUNCTION pg_temp.id(kind int, n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$
    SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || kind || '008' || lpad(to_hex(n), 15, '0'))::uuid
$$;

INSERT INTO users_user (id, password, is_superuser, email, name, is_active, is_staff, date_joined)
SELECT pg_temp.id(1, n), '!', false, 'customer' || n || '@example.org', 'Customer ' || n, true, false, now()
FROM generate_series(1, %(customers)s) AS n;

INSERT INTO inventory_location (code, name, priority, active)
VALUES ('BER', 'Berlin', 0, true), ('HAM', 'Hamburg', 1, true);

INSERT INTO inventory_product (id, sku, name, price, currency, active, version, created_at, changed_at)
SELECT pg_temp.id(2, n), 'SKU-' || n, 'Product number ' || n, mod(n, 100), 'EUR', mod(n, 50) > 0, 1, now(), now()
FROM generate_series(1, %(products)s) AS n;

INSERT INTO orders_catalogueitem (sku, name, price, currency, active, sequence)
SELECT sku, name, price, currency, active, version FROM inventory_product;

INSERT INTO inventory_stock (product_id, location_id, on_hand, reserved)
SELECT product.id, location.id, 1000, 0 FROM inventory_product product, inventory_location location;

INSERT INTO orders_order (id, customer_id, status, version, currency, total, reason, is_welcome, placed_at, changed_at)
SELECT pg_temp.id(3, n), pg_temp.id(1, 1 + mod(n * 7919, %(customers)s)),
       CASE WHEN mod(n, 100) < 90 THEN 'confirmed' WHEN mod(n, 100) < 95 THEN 'rejected'
            WHEN mod(n, 100) < 99 THEN 'cancelled' ELSE 'placed' END,
       2, 'EUR', 30, '', false, now(), now()
FROM generate_series(1, %(orders)s::bigint) AS n;

INSERT INTO orders_orderline (order_id, sku, name, quantity, unit_price)
SELECT pg_temp.id(3, n), 'SKU-' || 1 + mod(n + line, %(products)s), 'Product', line, 5
FROM generate_series(1, %(orders)s::bigint) AS n, generate_series(1, 3) AS line;

INSERT INTO orders_orderchange (order_id, sequence, from_status, to_status, at, reason)
SELECT id, step, CASE step WHEN 1 THEN '' ELSE 'placed' END, CASE step WHEN 1 THEN 'placed' ELSE status END, now(), ''
FROM orders_order, generate_series(1, 2) AS step WHERE step = 1 OR status <> 'placed';
"""


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """The URL of an empty database on the same server, until the end of the block."""
    name = f"{urlsplit(url).path.strip('/') or 'orderly'}_lists_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def load(*, orders: int, customers: int = CUSTOMERS, products: int = PRODUCTS) -> None:
    """Fill each table in one statement, then ANALYZE."""
    with connection.cursor() as cursor:
        cursor.execute(LOAD, {"orders": orders, "customers": customers, "products": products})
        cursor.execute("ANALYZE")


def time_requests(request: Callable[[], Any]) -> tuple[int, list[float]]:
    """The number of queries of a request, and the milliseconds of all of them, for each of several repetitions.

    Raises:
        SystemExit: it fails, or a repetition takes another number of queries.
    """
    request()  # fills caches
    numbers, times = set(), []
    for _ in range(REPETITIONS):
        spent: list[float] = []

        def timed(execute: Callable[..., Any], *arguments: Any, spent: list[float] = spent) -> Any:
            start = time.perf_counter()
            try:
                return execute(*arguments)
            finally:
                spent.append(1000 * (time.perf_counter() - start))

        with connection.execute_wrapper(timed):
            response = request()
        if response.status_code != HTTPStatus.OK:
            sys.exit(f"{response.request['PATH_INFO']} answered {response.status_code}")
        numbers.add(len(spent))
        times.append(sum(spent))
    if len(numbers) > 1:
        sys.exit(f"{response.request['PATH_INFO']}: {sorted(numbers)} queries")
    return numbers.pop(), times


def page_requests(orders: int) -> dict[str, Callable[[], Any]]:
    """The requests by their names in the table."""
    staff = get_user_model().objects.create_superuser("root@example.org", PASSWORD)
    customer = get_user_model().objects.get(email="customer1@example.org")
    customer.set_password(PASSWORD)
    customer.save()
    admin = Client(SERVER_NAME="localhost")
    admin.force_login(staff)

    def api(email: str) -> Client:
        login = {"email": email, "password": PASSWORD}
        answer = Client(SERVER_NAME="localhost").post("/api/v1/auth/token/", login, content_type="application/json")
        return Client(SERVER_NAME="localhost", HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")

    as_staff, as_customer, anonymous = (
        api("root@example.org"),
        api("customer1@example.org"),
        Client(SERVER_NAME="localhost"),
    )
    order = next(iter(as_staff.get("/api/v1/orders/").json()["results"]))["id"]
    listed = "/admin/orders/order/", "/admin/inventory/product/"
    paths: dict[str, tuple[Client, str]] = {
        "admin orders": (admin, listed[0]),
        "admin orders, last page": (admin, f"{listed[0]}?p={orders // 50}"),
        "admin orders, search by id": (admin, f"{listed[0]}?q={order}"),
        "admin orders, search by customer": (admin, f"{listed[0]}?q={customer.pk}"),
        "admin orders, search without a result": (admin, f"{listed[0]}?q={UUID(int=1)}"),
        "admin orders, status confirmed": (admin, f"{listed[0]}?status__exact=confirmed"),
        "admin orders, status placed (1 %)": (admin, f"{listed[0]}?status__exact=placed"),
        "admin orders, status paid (none)": (admin, f"{listed[0]}?status__exact=paid"),
        "admin orders, one order": (admin, f"{listed[0]}{order}/change/"),
        "admin products": (admin, listed[1]),
        "admin products, last page": (admin, f"{listed[1]}?p={PRODUCTS // 50}"),
        "admin products, search by SKU": (admin, f"{listed[1]}?q=SKU-77"),
        "admin products, search by word": (admin, f"{listed[1]}?q=number+77"),
        "admin products, not for sale": (admin, f"{listed[1]}?active__exact=0"),
        "API orders of the customer": (as_customer, "/api/v1/orders/"),
        "API orders, staff": (as_staff, "/api/v1/orders/"),
        "API orders of a customer, staff": (as_staff, f"/api/v1/orders/?customer_id={customer.pk}"),
        "API orders, history": (as_staff, f"/api/v1/orders/{order}/history/"),
        "API products": (anonymous, "/api/v1/products/"),
        "API products, staff": (as_staff, "/api/v1/products/"),
        "API stock": (as_staff, "/api/v1/stock/"),
    }
    return {name: partial(client.get, path) for name, (client, path) in paths.items()}


def main() -> int:
    """Load, measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000, help="how many to load (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=100, metavar="MS", help="for each page (default: %(default)s)")
    options = parser.parse_args()
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        parser.error("DATABASE_URL must name a PostgreSQL database, as in postgres://user@127.0.0.1/orderly")
    console = Console()
    with scratch_database(url) as scratch:
        os.environ.update(DATABASE_URL=scratch, DEBUG="1", DJANGO_SETTINGS_MODULE="project.settings")
        django.setup()
        call_command("migrate", verbosity=0)
        start = time.perf_counter()
        load(orders=options.orders)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")  # as autovacuum does sooner or later
        console.print(f"{options.orders:,} orders loaded in {time.perf_counter() - start:.0f} s")
        table = Table("page", "queries", "median ms", "worst ms")
        too_slow = []
        for name, request in page_requests(options.orders).items():
            queries, times = time_requests(request)
            median = statistics.median(times)
            table.add_row(name, str(queries), f"{median:.1f}", f"{max(times):.1f}")
            if median > options.limit:
                too_slow.append(name)
        connection.close()
    console.print(table)
    if too_slow:
        console.print(f"over {options.limit:g} ms of database time: {'; '.join(too_slow)}")
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main())
