"""Routes of the inventory service, under /api/v1/."""

from django.urls import path, re_path

from inventory import views

app_name = "inventory"
urlpatterns = [
    path("products/", views.ProductsView.as_view(), name="products"),
    # Only a possible SKU or code reaches the database.
    re_path(r"^products/(?P<sku>[A-Za-z0-9._-]{1,64})/\Z", views.ProductView.as_view(), name="product"),
    path("locations/", views.LocationsView.as_view(), name="locations"),
    re_path(r"^locations/(?P<code>[A-Za-z0-9._-]{1,64})/\Z", views.LocationView.as_view(), name="location"),
    path("stock/", views.StockView.as_view(), name="stock"),
    path("stock/receive/", views.ReceiveView.as_view(), name="receive"),
    path("stock/adjust/", views.AdjustView.as_view(), name="adjust"),
    path("stock/transfer/", views.TransferView.as_view(), name="transfer"),
    path("movements/", views.MovementsView.as_view(), name="movements"),
]
