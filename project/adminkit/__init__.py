"""What the services' admins share: lists that stay cheap at a million rows, links, dialogs and the menu.

Services import from here alone. The lists themselves are the bus's, which has an admin of its own and imports nothing
of ours; they are handed on under the same names.
"""

from project.adminkit.changes import LinksToChanges
from project.adminkit.dialogs import DialogForm, run_in_dialog
from project.adminkit.links import cause_link
from project.adminkit.lookups import HasWords
from project.adminkit.menu import menu
from project.bus.admin.actors import ShowsActors
from project.bus.admin.tables import (
    NOTHING,
    BoundedPaginator,
    LargeTableAdmin,
    ReadOnly,
    ReadOnlyAdmin,
    link,
    list_link,
)

__all__ = [
    "NOTHING",
    "BoundedPaginator",
    "DialogForm",
    "HasWords",
    "LargeTableAdmin",
    "LinksToChanges",
    "ReadOnly",
    "ReadOnlyAdmin",
    "ShowsActors",
    "cause_link",
    "link",
    "list_link",
    "menu",
    "run_in_dialog",
]
