"""The demo as a Django app: it has commands and no tables."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """`demo`, `demo_data` and `simulate`."""

    name = "project.demo"
    label = "demo"
    verbose_name = "Demo"
