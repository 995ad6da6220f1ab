"""The Event base class, the registry of event types, and the conversion between an event and its data in JSON.

The envelope around an event's data uses the attribute names of CloudEvents 1.0
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md), so any event can leave as a
CloudEvent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Self, dataclass_transform
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from .errors import InvalidEvent, UnknownEvent

#: Turns the data of one version of an event into those of the next version.
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

_registry: dict[str, type[Event]] = {}


class EventMeta(msgspec.StructMeta):
    """Takes an event's wire name, version and subject from its class line, and registers it."""

    def __new__(
        mcs,
        class_name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        name: str = "",
        version: int = 1,
        subject: str = "",
    ) -> EventMeta:
        """Make the class, a frozen struct."""
        struct = super().__new__(mcs, class_name, bases, namespace, frozen=True, kw_only=True)
        if bases == (msgspec.Struct,):
            return struct  # Event itself
        cls: Any = struct
        if taken := sorted(namespace.get("__annotations__", {}).keys() & set(Event.__struct_fields__)):
            raise TypeError(f"{class_name} declares {', '.join(taken)}, which every event has. Choose another name.")
        if not name:
            raise TypeError(f'{class_name} needs a wire name: class {class_name}(Event, name="service.fact", ...)')
        if name in _registry:
            raise TypeError(f"{class_name} and {_registry[name].__name__} both have the wire name {name!r}")
        cls.data_fields = tuple(field for field in cls.__struct_fields__ if field not in Event.__struct_fields__)
        if subject not in cls.data_fields:
            raise TypeError(f"{class_name} needs subject=, one of its fields: {', '.join(cls.data_fields)}")
        cls.wire_name, cls.wire_version, cls.subject_field, cls.upcasters = name, version, subject, {}
        _registry[name] = cls
        return struct


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class Event(msgspec.Struct, metaclass=EventMeta):
    """A past-tense fact. A subclass declares its data; the fields here are its envelope.

    `name` is the wire name, which is stored and never changes. `version` begins at 1 and grows with a breaking change,
    which then needs an upcaster. `subject` is the field that identifies the aggregate. Example::

        class OrderPlaced(Event, name="orders.order_placed", subject="order_id"):
            order_id: UUID
            lines: list[Line]
    """

    wire_name: ClassVar[str]
    wire_version: ClassVar[int]
    subject_field: ClassVar[str]
    upcasters: ClassVar[dict[int, Upcaster]]
    #: The names of the fields that travel as data, in the order of their declaration.
    data_fields: ClassVar[tuple[str, ...]] = ()

    id: UUID = msgspec.field(default_factory=uuid7)
    #: The version that the event gave its subject, counted under the subject's row lock; None if it is not counted.
    sequence: int | None = None
    #: The event that caused this one. Implied inside a handler of single events.
    cause: Event | None = None
    #: The id of the first event of this event's chain. Implied by the cause.
    correlation_id: UUID | None = None
    #: W3C trace context. Implied by the cause.
    traceparent: str = ""
    #: When it was published, by the database's clock; None before publication.
    time: datetime | None = None

    @property
    def subject(self) -> str:
        """The id of the event's aggregate."""
        return str(getattr(self, self.subject_field))

    def encode(self) -> bytes:
        """The event's data as JSON.

        Raises:
            InvalidEvent: a field's value does not fit its type.
        """
        data = _encoder.encode({field: getattr(self, field) for field in self.data_fields})
        try:
            _decoder(type(self)).decode(data)  # msgspec checks types when it decodes, not when it constructs
        except msgspec.MsgspecError as error:
            raise InvalidEvent(f"{type(self).__name__}: {error}") from error
        return data

    @classmethod
    def decode(cls, data: bytes | str, *, version: int | None = None, **envelope: Any) -> Self:
        """Build an event from its data in JSON and the fields of its envelope.

        Args:
            version: the version of the data; by default the class's own. Older data go through the upcasters first.

        Raises:
            InvalidEvent: the data do not fit the event's type.
        """
        try:
            if version is not None and version < cls.wire_version:
                data = cls._upcast(data, version=version)
            fields = _decoder(cls).decode(data)
        except msgspec.MsgspecError as error:
            raise InvalidEvent(f"{cls.__name__}: {error}") from error
        return cls(**msgspec.structs.asdict(fields), **envelope)

    @classmethod
    def _upcast(cls, data: bytes | str, *, version: int) -> bytes:
        fields, older = msgspec.json.decode(data), version
        try:
            for older in range(version, cls.wire_version):
                fields = cls.upcasters[older](fields)
            return msgspec.json.encode(fields)
        except Exception as error:  # an upcaster may raise anything; the event is what cannot be read
            reason = f"its upcaster from version {older} failed with {type(error).__name__}: {error}"
            raise InvalidEvent(f"{cls.__name__}: {reason}") from error


def upcast(event_type: type[Event], *, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register a function that turns the data of `from_version` of an event into those of the next version.

    Example::

        @upcast(OrderPlaced, from_version=1)
        def add_currency(data: dict[str, Any]) -> dict[str, Any]:
            return {**data, "currency": "EUR"}

    Raises:
        TypeError: the event has no such older version, or already has an upcaster from it.
    """
    if not 1 <= from_version < event_type.wire_version:
        raise TypeError(
            f"{event_type.__name__} is version {event_type.wire_version}, so no upcaster can start at {from_version}."
        )
    if from_version in event_type.upcasters:
        raise TypeError(f"{event_type.__name__} has two upcasters from version {from_version}")

    def register(function: Upcaster) -> Upcaster:
        event_type.upcasters[from_version] = function
        return function

    return register


def event_types() -> list[type[Event]]:
    """Every event type that this process knows, sorted by wire name."""
    return [event_type for _, event_type in sorted(_registry.items())]


@cache
def data_type(event_type: type[Event]) -> type[msgspec.Struct]:
    """A struct with the data of an event type, without the envelope."""
    return msgspec.defstruct(
        event_type.__name__,
        [
            (field.name, field.type, _default(field))
            for field in msgspec.structs.fields(event_type)
            if field.name in event_type.data_fields
        ],
        frozen=True,
        kw_only=True,
    )


@cache
def _decoder(event_type: type[Event]) -> msgspec.json.Decoder[msgspec.Struct]:
    return msgspec.json.Decoder(data_type(event_type))


_encoder = msgspec.json.Encoder()


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return msgspec.field(default=field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.field()


def event_type_named(name: str, *, version: int) -> type[Event]:
    """The event type with a wire name, if it can read `version`.

    Raises:
        UnknownEvent: this process knows no such event, or only an older version of it.
    """
    event_type = _registry.get(name)
    if event_type is None or event_type.wire_version < version:
        raise UnknownEvent(f"{name} version {version} is not known to this release")
    return event_type
