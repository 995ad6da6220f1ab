"""The web server's application with fault points around placing an order: gunicorn tests.faults.web."""

from typing import Any

from django.db import transaction

from project.wsgi import application

from orders import operations  # isort: skip - after Django is set up
from tests.faults.fault_points import reached  # isort: skip

__all__ = ["application"]

_place_order = operations.place_order


def place_order(**arguments: Any) -> Any:
    """Place an order; a test may kill this process before its COMMIT, or between COMMIT and answer."""
    with transaction.atomic():
        order = _place_order(**arguments)
        reached("placing")
    reached("placed")
    return order


operations.place_order = place_order
