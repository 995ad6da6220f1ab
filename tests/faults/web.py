"""The web server's application with fault points around the placing of an order: gunicorn tests.faults.web."""

from typing import Any

from django.db import transaction

from project.wsgi import application

from orders import operations  # isort: skip - after Django is set up
from tests.faults.armed import reached  # isort: skip

__all__ = ["application"]

_place_order = operations.place_order


def place_order(**arguments: Any) -> Any:
    """Place an order; a test may have this process fall before its COMMIT, or after it and before the answer."""
    with transaction.atomic():
        order = _place_order(**arguments)
        reached("placing")
    reached("placed")
    return order


operations.place_order = place_order
