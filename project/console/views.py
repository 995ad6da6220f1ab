"""The event bus over HTTP, for staff with permission."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from project.api.authentication import user_id
from project.api.permissions import Permitted
from project.bus.operator import dead_letters, selectors
from project.console.filters import DeliveryFilters, EventFilters
from project.console.serializers import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    EventDetailSerializer,
    EventSerializer,
    FailureSerializer,
    RetriedSerializer,
    RetrySerializer,
)


class EventsView(Permitted, ListAPIView[Any]):
    """GET: list events."""

    permissions = {"GET": "bus.view_event"}
    serializer_class = EventSerializer
    filterset_class = EventFilters
    queryset = selectors.events()

    def get(self, request: Request) -> Response:
        """List events, newest first."""
        return self.list(request)


class EventView(Permitted):
    """GET: one event."""

    permissions = {"GET": "bus.view_event"}

    @extend_schema(responses=EventDetailSerializer)
    def get(self, request: Request, event_id: UUID) -> Response:
        """Show an event, with its delivery to each handler."""
        event = get_object_or_404(selectors.events(), pk=event_id)
        deliveries = DeliverySerializer(selectors.deliveries_of(event_id), many=True).data
        return Response({**EventSerializer().to_representation(event), "deliveries": deliveries})


class DeliveriesView(Permitted, ListAPIView[Any]):
    """GET: list deliveries."""

    permissions = {"GET": "bus.view_delivery"}
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilters
    queryset = selectors.deliveries()

    def get(self, request: Request) -> Response:
        """List deliveries that are not settled, newest first.

        `state=dead` lists the dead letters. Done and discarded deliveries are shown with their event.
        """
        return self.list(request)


class DeliveryView(Permitted):
    """GET: one delivery."""

    permissions = {"GET": "bus.view_delivery"}

    @extend_schema(responses=DeliveryDetailSerializer)
    def get(self, request: Request, delivery_id: int) -> Response:
        """Show a delivery, settled or not, with its latest failures."""
        delivery = selectors.delivery(delivery_id)
        if delivery is None:
            raise Http404
        failures = selectors.failures(delivery_id)
        return Response({**DeliverySerializer(delivery).data, "failures": FailureSerializer(failures, many=True).data})


class RetryView(Permitted):
    """POST: retry dead letters."""

    permissions = {"POST": "bus.change_delivery"}

    @extend_schema(request=RetrySerializer, responses=RetriedSerializer)
    def post(self, request: Request) -> Response:
        """Retry dead letters: they are due now, with all their attempts.

        Deliveries that are not dead stay unchanged, so it is safe to repeat the call.
        """
        serializer = RetrySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        ids = set(serializer.validated_data["ids"])
        retried = dead_letters.retry(query=dead_letters.DeadLetterQuery(ids=ids), actor=str(user_id(request)))
        return Response(RetriedSerializer({"retried": retried, "left_alone": len(ids) - retried}).data)
