"""Links from one service's admin to another's.

Services keep only each other's ids, so such a link is an id in the address of a page. Where the other service is not
installed, it is plain text.
"""

from uuid import UUID

from project.bus.admin.tables import link


def cause_link(*, event_id: UUID | None, actor_id: UUID | None, brief: bool = False) -> str:
    """Link to what caused a change: an event, or else a person.

    Args:
        brief: show "event" or "person" without the id.
    """
    page, word, key = ("bus_event", "event", event_id) if event_id else ("users_user", "person", actor_id)
    return link(page, key, word if brief else f"{word} {key}")
