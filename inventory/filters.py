"""The filters of inventory's lists."""

from django_filters import CharFilter

from inventory.models import Movement
from project.api.filters import StrictFilterSet, choice_filter, uuid_filter

MAX_CODE_LENGTH = 64


class StockFilters(StrictFilterSet):
    """Filter stock by product and location."""

    sku = CharFilter(field_name="product__sku", max_length=MAX_CODE_LENGTH)
    location = CharFilter(field_name="location__code", max_length=MAX_CODE_LENGTH)


class MovementFilters(StrictFilterSet):
    """Filter the ledger by product, location, order, event and kind."""

    sku = CharFilter(field_name="stock__product__sku", max_length=MAX_CODE_LENGTH)
    location = CharFilter(field_name="stock__location__code", max_length=MAX_CODE_LENGTH)
    order_id = uuid_filter("order_id")
    event_id = uuid_filter("event_id")
    kind = choice_filter(Movement.Kind, field_name="kind")
