"""The app."""

from django.apps import AppConfig


class NaiveConfig(AppConfig):
    name = "benchmarks.peers.naive"
    label = "naive"

    def ready(self) -> None:
        """Connect the signals."""
        from benchmarks.peers.naive import signals  # noqa: F401, PLC0415 - models cannot be imported earlier
