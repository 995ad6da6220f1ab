"""Routes of the event bus, under /api/v1/."""

from django.urls import path

from project.console import views

app_name = "console"
urlpatterns = [
    path("events/", views.EventsView.as_view(), name="events"),
    path("events/<uuid:event_id>/", views.EventView.as_view(), name="event"),
    path("deliveries/", views.DeliveriesView.as_view(), name="deliveries"),
    path("deliveries/retry/", views.RetryView.as_view(), name="retry"),
    path("deliveries/<int:delivery_id>/", views.DeliveryView.as_view(), name="delivery"),
]
