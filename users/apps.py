"""The Django app of the users service."""

from importlib import import_module

from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "users"
    verbose_name = "Accounts"

    def ready(self) -> None:
        import_module("users.signals")
        import_module("users.tasks")
