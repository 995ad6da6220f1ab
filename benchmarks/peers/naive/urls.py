"""URLs."""

from django.urls import path

from benchmarks.peers.naive.views import OrdersView

urlpatterns = [path("api/v1/orders/", OrdersView.as_view())]
