"""Routes of the orders service, under /api/v1/."""

from django.urls import path

from orders import views

app_name = "orders"
urlpatterns = [
    path("orders/", views.OrdersView.as_view(), name="orders"),
    path("orders/<uuid:order_id>/", views.OrderView.as_view(), name="order"),
    path("orders/<uuid:order_id>/history/", views.HistoryView.as_view(), name="history"),
    path("orders/<uuid:order_id>/cancel/", views.CancelView.as_view(), name="cancel"),
]
