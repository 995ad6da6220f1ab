"""The states of a delivery, defined once. Selectors, filters, status, admin and docs/states.md use this definition."""

from dataclasses import dataclass
from typing import Self, TypeVar

from django.db.models import Case, CharField, Model, Q, QuerySet, Value, When
from django.db.models.functions import Now


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A state in which a delivery is still owed."""

    condition: Q
    meaning: str


#: The states of a row in Delivery. Exactly one condition holds for each row.
OWED = {
    "due": State(
        condition=Q(dead_at=None, attempts=0, due_at__lte=Now(), waits_for=""),
        meaning="A worker may claim it now, for the first time.",
    ),
    "scheduled": State(
        condition=Q(dead_at=None, attempts=0, due_at__gt=Now(), waits_for=""),
        meaning="It becomes due later, because its event was published with a delay.",
    ),
    "retrying": State(
        condition=Q(dead_at=None, attempts__gt=0, waits_for=""),
        meaning="A worker has claimed it, or an attempt failed and the next one is due after a backoff.",
    ),
    "waiting": State(
        condition=Q(dead_at=None, waits_for__gt=""),
        meaning="It waits for a release that knows its event's version, or whose handler takes its type.",
    ),
    "dead": State(
        condition=Q(dead_at__isnull=False),
        meaning="Its attempts are used up, or no retry can help. It waits for a person.",
    ),
}
#: The states of a row in Receipt.
SETTLED = {
    "done": "Its handler's effect is committed.",
    "discarded": "A person gave it up.",
}
#: Every state with the kind of label that pages give it, the worst first.
LABELS = {
    "dead": "danger",
    "waiting": "warning",
    "retrying": "warning",
    "due": "info",
    "scheduled": "info",
    "discarded": "warning",
    "done": "success",
}
#: The states that count as unsettled: work that the system still has to do by itself.
UNSETTLED = ("due", "retrying", "waiting")
#: The changes of state: from, to, and by what.
CHANGES = (
    ("", "due", "publish(event)"),
    ("", "scheduled", "publish(event, delay=...)"),
    ("", "due", "bus replay"),
    ("scheduled", "due", "time passes"),
    ("due", "retrying", "a worker claims it"),
    ("retrying", "retrying", "an attempt fails"),
    ("retrying", "due", "its probe was not needed"),
    ("retrying", "done", "the handler commits"),
    ("retrying", "dead", "the last attempt fails, or no retry can help"),
    ("retrying", "waiting", "this release cannot handle it"),
    ("waiting", "retrying", "a newer release claims it"),
    ("dead", "due", "bus dead-letters retry"),
    ("waiting", "due", "bus dead-letters retry --waiting"),
    ("dead", "discarded", "bus dead-letters discard"),
    ("waiting", "discarded", "bus dead-letters discard --waiting"),
    ("dead", "done", "an external effect finished after all"),
    *((state, "discarded", "bus retire --discard") for state in OWED),
)


def in_any(*states: str) -> Q:
    """The condition that a delivery is in one of the states, of which at least one is given."""
    condition = Q()
    for state in states:
        condition |= OWED[state].condition
    return condition


Row_co = TypeVar("Row_co", bound=Model, covariant=True)


class DeliveryQuerySet(QuerySet[Row_co, Row_co]):
    """Deliveries by state."""

    def in_state(self, *states: str) -> Self:
        """The deliveries in one of the states."""
        return self.filter(in_any(*states)) if states else self.none()

    def with_state(self) -> Self:
        """Add `state`, by the database's clock."""
        cases = (When(state.condition, then=Value(name)) for name, state in OWED.items())
        return self.annotate(state=Case(*cases, output_field=CharField()))


def diagram() -> str:
    """The states as a Mermaid diagram."""
    lines = [f"    {before or '[*]'} --> {after}: {how}" for before, after, how in CHANGES] + [
        f"    {state} --> [*]" for state in SETTLED
    ]
    return "\n".join(["stateDiagram-v2", *lines])


def states_page() -> str:
    """docs/states.md."""
    rows = [f"| `{name}` | delivery | {state.meaning} |" for name, state in OWED.items()]
    rows += [f"| `{name}` | receipt | {meaning} |" for name, meaning in SETTLED.items()]
    return "\n".join(
        [
            "# States of a delivery",
            "",
            "`make docs` makes this page from [project/bus/states.py](../project/bus/states.py).",
            "",
            "| State | Stored as | Meaning |",
            "|---|---|---|",
            *rows,
            "",
            f"{', '.join(f'`{state}`' for state in UNSETTLED)} are unsettled: the system still has work to do.",
            "",
            "```mermaid",
            diagram(),
            "```",
            "",
        ]
    )
