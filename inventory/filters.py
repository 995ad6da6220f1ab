"""What inventory's lists can be asked for."""

from django_filters import CharFilter

from inventory.models import Movement
from project.api.filters import Filters, id_of, one_of

LONGEST_CODE = 64


class StockFilters(Filters):
    """Stock of one product, at one location, or both."""

    sku = CharFilter(field_name="product__sku", max_length=LONGEST_CODE)
    location = CharFilter(field_name="location__code", max_length=LONGEST_CODE)


class MovementFilters(Filters):
    """The ledger of one product, one location, one order, one event, or of one kind of movement."""

    sku = CharFilter(field_name="stock__product__sku", max_length=LONGEST_CODE)
    location = CharFilter(field_name="stock__location__code", max_length=LONGEST_CODE)
    order_id = id_of("order_id")
    event_id = id_of("event_id")
    kind = one_of(Movement.Kind, field_name="kind")
