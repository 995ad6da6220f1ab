"""What lists of orders can be asked for."""

from orders.models import Status
from project.api.filters import Filters, id_of, one_of


class OrderFilters(Filters):
    """Orders in one status; for staff, one customer's. Others see their own alone, whomever they name."""

    status = one_of(Status, field_name="status")
    customer_id = id_of("customer_id")
