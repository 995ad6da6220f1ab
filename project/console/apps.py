"""The console as a Django app."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Has no tables; it is an app for its commands."""

    name = "project.console"
    label = "console"
    verbose_name = "Console"
