"""What happened, as a tree for the terminal: events under the events that caused them, and what each of them led to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from rich.text import Text
from rich.tree import Tree

from inventory.models import Movement
from orders.models import OrderChange
from project.bus.status import Handling, Told

STYLES = {"done": "green", "discarded": "yellow", "dead": "bold red", "retrying": "yellow", "waiting": "yellow"}
#: Characters of a reason or an error that are shown.
LONGEST = 200
#: Up to which age a time is told in which unit, and with how many decimals.
UNITS = (
    (timedelta(seconds=10), timedelta(milliseconds=1), "ms", 0),
    (timedelta(minutes=10), timedelta(seconds=1), "s", 1),
    (timedelta(hours=10), timedelta(minutes=1), "min", 1),
    (timedelta(days=10), timedelta(hours=1), "h", 1),
    (timedelta.max, timedelta(days=1), "d", 1),
)


def trees(told: Iterable[Told]) -> list[Tree]:
    """The events as trees, each event below its cause; one tree for each event whose cause is not among them."""
    events = list(told)
    start = events[0].time
    movements = movements_by_event(events)
    steps = steps_by_event(events)
    known = {event.id for event in events}
    caused: dict[UUID | None, list[Told]] = defaultdict(list)
    for event in events:
        caused[event.causation_id if event.causation_id in known else None].append(event)

    def grow(event: Told, *, head: Text) -> Tree:
        tree = Tree(head)
        for handling in event.handlings:
            tree.add(handling_text(handling, start))
        for step in steps[event.id]:
            tree.add(step_text(step, event, start))
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


def movements_by_event(events: Sequence[Told]) -> Mapping[UUID | None, list[Movement]]:
    """The ledger rows that name one of the events as their cause."""
    found: dict[UUID | None, list[Movement]] = defaultdict(list)
    rows = Movement.objects.filter(event_id__in=[event.id for event in events])
    for movement in rows.select_related("stock__product", "stock__location").order_by("id"):
        found[movement.event_id].append(movement)
    return found


def steps_by_event(events: Sequence[Told]) -> Mapping[UUID, list[OrderChange]]:
    """The steps of orders' histories, each with the event that caused it; a person's, with the event that tells of it.

    A step that neither leads to is of another chain.
    """
    known = {event.id for event in events}
    telling = {(event.subject, event.sequence): event.id for event in events if event.sequence is not None}
    subjects = {event.subject for event in events if is_uuid(event.subject)}
    found: dict[UUID, list[OrderChange]] = defaultdict(list)
    for step in OrderChange.objects.filter(order_id__in=subjects).order_by("order_id", "sequence"):
        event_id = step.event_id if step.event_id in known else telling.get((str(step.order_id), step.sequence))
        if event_id is not None:
            found[event_id].append(step)
    return found


def event_text(event: Told, *, when: str) -> Text:
    """An event, when it was published, and its id to copy."""
    text = Text.assemble((event.type, "bold"), f" of {printable(event.subject)}  ", (when, "dim"))
    return text.append(f"  event {event.id}", style="dim")


def handling_text(handling: Handling, start: datetime) -> Text:
    """What became of an event at one handler, and every attempt that failed."""
    attempts = f", {handling.attempts} attempt{'' if handling.attempts == 1 else 's'}"
    text = Text.assemble(f"{handling.handler} ", (handling.state, STYLES.get(handling.state, "")), attempts)
    if handling.ended_at:
        text.append(f"  {since(handling.ended_at, start)}", style="dim")
    if handling.due_at:
        text.append(f", due {since(handling.due_at, start)}")
    if handling.state not in ("done", "discarded"):
        text.append(f"  delivery {handling.delivery_id}", style="dim")
    for failed in handling.failures:
        text.append(f"\n  attempt {failed.attempt} failed {since(failed.at, start)}: ", style="dim")
        text.append(printable(failed.error), style="red")
    return text


def step_text(step: OrderChange, event: Told, start: datetime) -> Text:
    """A step of an order's history; whose order it is, where the event is about something else."""
    order = "order" if event.subject == str(step.order_id) else f"order {step.order_id}"
    words = f"{order}: {step.from_status or 'new'} → {step.to_status}"
    if step.actor_id:
        words += f" by user {step.actor_id}"
    if step.reason:
        words += f" ({printable(step.reason)})"
    return Text.assemble(words, (f"  {since(step.at, start)}", "dim"))


def movement_text(movement: Movement, start: datetime) -> Text:
    """A ledger row: what it moved, and what there was afterwards."""
    moved = ", ".join(
        f"{name} {delta:+}"
        for name, delta in (("on hand", movement.on_hand_delta), ("reserved", movement.reserved_delta))
        if delta
    )
    place = f"{movement.stock.product.sku} at {movement.stock.location.code}"
    then = f"{movement.on_hand_after} on hand, {movement.reserved_after} reserved"
    words = f"ledger {movement.pk}, {movement.kind}: {place}, {moved} (then {then})"
    return Text.assemble(words, (f"  {since(movement.at, start)}", "dim"))


def clock(time: datetime) -> str:
    """A time of the day, to the millisecond."""
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03} UTC"


def since(time: datetime, start: datetime) -> str:
    """How long after the start, in a unit that suits."""
    # On SQLite a row's time is that of its statement, which may be a moment before the event that tells of it.
    span = max(time - start, timedelta(0))
    unit, name, decimals = next((unit, name, decimals) for upto, unit, name, decimals in UNITS if span < upto)
    return f"+{span / unit:.{decimals}f} {name}"


def printable(text: str) -> str:
    """The text in one line, and without what could steer a terminal: customers write reasons."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:LONGEST])
    return f"{shown}..." if len(text) > LONGEST else shown


def is_uuid(text: str) -> bool:
    """Whether a subject can be an order's id."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
