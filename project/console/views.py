"""The event bus over HTTP, for staff with permission."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from project.api.people import StaffWith, user_id
from project.bus import audit, dead_letters, journal
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


class Permitted:
    """A view for staff with one permission."""

    permission: str

    def get_permissions(self) -> list[BasePermission]:
        """That one."""
        return [StaffWith(self.permission)]


class EventsView(Permitted, ListAPIView[Any]):
    """GET: what has happened."""

    permission = "bus.view_event"
    serializer_class = EventSerializer
    filterset_class = EventFilters
    queryset = journal.events()

    def get(self, request: Request) -> Response:
        """List events, newest first."""
        return self.list(request)


class EventView(Permitted, APIView):
    """GET: one event."""

    permission = "bus.view_event"

    @extend_schema(responses=EventDetailSerializer)
    def get(self, request: Request, event_id: UUID) -> Response:
        """Show an event, and what became of it at each of its handlers."""
        event = get_object_or_404(journal.events(), pk=event_id)
        deliveries = DeliverySerializer(journal.deliveries_of(event_id), many=True).data
        return Response({**EventSerializer().to_representation(event), "deliveries": deliveries})


class DeliveriesView(Permitted, ListAPIView[Any]):
    """GET: what is owed."""

    permission = "bus.view_delivery"
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilters
    queryset = journal.deliveries()

    def get(self, request: Request) -> Response:
        """List deliveries that are not done, newest first.

        `state=dead` lists the dead letters. What is done or discarded is shown with its event.
        """
        return self.list(request)


class DeliveryView(Permitted, APIView):
    """GET: one delivery."""

    permission = "bus.view_delivery"

    @extend_schema(responses=DeliveryDetailSerializer)
    def get(self, request: Request, delivery_id: int) -> Response:
        """Show a delivery, done or not, with its latest failures."""
        delivery = journal.delivery(delivery_id)
        if delivery is None:
            raise Http404
        failures = journal.failures(delivery_id)
        return Response({**DeliverySerializer(delivery).data, "failures": FailureSerializer(failures, many=True).data})


class RetryView(Permitted, APIView):
    """POST: have dead letters tried again."""

    permission = "bus.change_delivery"

    @extend_schema(request=RetrySerializer, responses=RetriedSerializer)
    def post(self, request: Request) -> Response:
        """Owe dead letters again, from now and with all their attempts.

        Deliveries that are not dead are left alone, so repeating the call does no harm.
        """
        serializer = RetrySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        ids = set(serializer.validated_data["ids"])
        with transaction.atomic():
            retried = dead_letters.retry(delivery_ids=ids)
            audit.record(
                actor=str(user_id(request)),
                action="retry",
                request={"ids": sorted(ids)},
                outcome={"deliveries": retried},
            )
        return Response(RetriedSerializer({"retried": retried, "left_alone": len(ids) - retried}).data)
