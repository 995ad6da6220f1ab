"""The filters of the list of orders."""

from orders.models import Status
from project.api.filters import StrictFilterSet, choice_filter, uuid_filter


class OrderFilters(StrictFilterSet):
    """Filter by status and, for staff who see all orders, by customer."""

    status = choice_filter(Status, field_name="status")
    customer_id = uuid_filter("customer_id")
