"""What Django's system checks say of the events: commands and workers refuse to start with what they find."""

from typing import Any

from django.core.checks import CheckMessage, Error

from .events import event_types


def every_older_version_can_be_read(**_: Any) -> list[CheckMessage]:
    """An event of version n has an upcaster from each version before, as events of those may still be owed."""
    return [
        Error(
            f"{event_type.__name__} is version {event_type.wire_version} and has no upcaster from version {version}.",
            hint=f"Write a function with @upcast({event_type.__name__}, from_version={version}) beside the event.",
            obj=event_type.wire_name,
            id="bus.E001",
        )
        for event_type in event_types()
        for version in range(1, event_type.wire_version)
        if version not in event_type.upcasters
    ]
