"""A trace as trees for the terminal: each event below the event that caused it, with its consequences."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from rich.text import Text
from rich.tree import Tree

from inventory.models import Movement
from orders.models import OrderChange
from project.bus.operator.trace import EventTrace, HandlerTrace
from project.bus.text import escaped

STYLES = {"done": "green", "discarded": "yellow", "dead": "bold red", "retrying": "yellow", "waiting": "yellow"}
#: Characters of a reason or an error; longer texts are cut.
MAX_TEXT_LENGTH = 200
#: Below the first value, a time is shown in the unit that follows, with this many decimals.
AGE_UNITS = (
    (timedelta(seconds=10), timedelta(milliseconds=1), "ms", 0),
    (timedelta(minutes=10), timedelta(seconds=1), "s", 1),
    (timedelta(hours=10), timedelta(minutes=1), "min", 1),
    (timedelta(days=10), timedelta(hours=1), "h", 1),
    (timedelta.max, timedelta(days=1), "d", 1),
)


def trees(told: Iterable[EventTrace]) -> list[Tree]:
    """Arrange events as trees, each event below its cause. An event whose cause is not among them starts a tree."""
    events = list(told)
    start = events[0].time
    movements = movements_by_event(events)
    transitions = transitions_by_event(events)
    known = {event.id for event in events}
    caused: dict[UUID | None, list[EventTrace]] = defaultdict(list)
    for event in events:
        caused[event.causation_id if event.causation_id in known else None].append(event)

    def grow(event: EventTrace, *, head: Text) -> Tree:
        tree = Tree(head)
        for handling in event.handlers:
            tree.add(handling_text(handling, start))
        for change in transitions[event.id]:
            tree.add(transition_text(change, event, start))
        for movement in movements[event.id]:
            tree.add(movement_text(movement, start))
        for effect in caused[event.id]:
            tree.add(grow(effect, head=event_text(effect, when=since(effect.time, start))))
        return tree

    first, *later = caused[None]
    return [
        grow(first, head=event_text(first, when=clock(first.time))),
        *(grow(root, head=event_text(root, when=f"{clock(root.time)}, {since(root.time, start)}")) for root in later),
    ]


def movements_by_event(events: Sequence[EventTrace]) -> Mapping[UUID | None, list[Movement]]:
    """Return the ledger rows that each event caused."""
    found: dict[UUID | None, list[Movement]] = defaultdict(list)
    rows = Movement.objects.filter(event_id__in=[event.id for event in events])
    for movement in rows.select_related("stock__product", "stock__location").order_by("id"):
        found[movement.event_id].append(movement)
    return found


def transitions_by_event(events: Sequence[EventTrace]) -> Mapping[UUID, list[OrderChange]]:
    """Return the status changes of orders by the event that caused them or, for a person's, that announces them.

    Other changes belong to another trace.
    """
    known = {event.id for event in events}
    announcing = {(event.subject, event.sequence): event.id for event in events if event.sequence is not None}
    subjects = {event.subject for event in events if is_uuid(event.subject)}
    found: dict[UUID, list[OrderChange]] = defaultdict(list)
    for change in OrderChange.objects.filter(order_id__in=subjects).order_by("order_id", "sequence"):
        event_id = change.event_id
        if event_id not in known:
            event_id = announcing.get((str(change.order_id), change.sequence))
        if event_id is not None:
            found[event_id].append(change)
    return found


def event_text(event: EventTrace, *, when: str) -> Text:
    """Describe an event: its type, its subject, its time and its id."""
    text = Text.assemble((printable(event.type), "bold"), f" of {printable(event.subject)}  ", (when, "dim"))
    return text.append(f"  event {event.id}", style="dim")


def handling_text(handling: HandlerTrace, start: datetime) -> Text:
    """Describe the delivery of an event to one handler, and its failed attempts."""
    attempts = f", {handling.attempts} attempt{'' if handling.attempts == 1 else 's'}"
    text = Text.assemble(f"{printable(handling.handler)} ", (handling.state, STYLES.get(handling.state, "")), attempts)
    if handling.settled_at:
        text.append(f"  {since(handling.settled_at, start)}", style="dim")
    if handling.due_at:
        text.append(f", due {since(handling.due_at, start)}")
    if handling.state not in ("done", "discarded"):
        text.append(f"  delivery {handling.delivery_id}", style="dim")
    for failed in handling.failures:
        text.append(f"\n  attempt {failed.attempt} failed {since(failed.at, start)}: ", style="dim")
        text.append(printable(failed.error), style="red")
    return text


def transition_text(change: OrderChange, event: EventTrace, start: datetime) -> Text:
    """Describe a status change; with the order's id, where the event is about something else."""
    order = "order" if event.subject == str(change.order_id) else f"order {change.order_id}"
    words = f"{order}: {change.from_status or 'new'} → {change.to_status}"
    if change.actor_id:
        words += f" by user {change.actor_id}"
    if change.reason:
        words += f" ({printable(change.reason)})"
    return Text.assemble(words, (f"  {since(change.at, start)}", "dim"))


def movement_text(movement: Movement, start: datetime) -> Text:
    """Describe a ledger row: the units that it moved, and the figures afterwards."""
    moved = ", ".join(
        f"{name} {delta:+}"
        for name, delta in (("on hand", movement.on_hand_delta), ("reserved", movement.reserved_delta))
        if delta
    )
    place = printable(f"{movement.stock.product.sku} at {movement.stock.location.code}")
    then = f"{movement.on_hand_after} on hand, {movement.reserved_after} reserved"
    words = f"ledger {movement.pk}, {movement.kind}: {place}, {moved} (then {then})"
    return Text.assemble(words, (f"  {since(movement.at, start)}", "dim"))


def clock(time: datetime) -> str:
    """Format a time, to the millisecond."""
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03} UTC"


def since(time: datetime, start: datetime) -> str:
    """Format the time since the start, in a suitable unit."""
    # On SQLite a row has the time of its statement, which may be slightly before that of its event.
    span = max(time - start, timedelta(0))
    unit, name, decimals = next((unit, name, decimals) for upto, unit, name, decimals in AGE_UNITS if span < upto)
    return f"+{span / unit:.{decimals}f} {name}"


def printable(text: str) -> str:
    """Put a text into one line, without control characters: customers write reasons."""
    shown = escaped(text[:MAX_TEXT_LENGTH])
    return f"{shown}..." if len(text) > MAX_TEXT_LENGTH else shown


def is_uuid(text: str) -> bool:
    """Tell whether a subject can be the id of an order."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
