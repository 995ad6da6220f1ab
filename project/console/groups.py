"""The ready-made groups of staff: each has the permissions of one job. docs/operations.md has them as a table.

`migrate` makes those that are missing. A superuser may change a group; it is then left as it is.
"""

from collections.abc import Mapping
from typing import Any

from django.apps import apps as installed
from django.apps.registry import Apps
from django.contrib.auth.models import Group, Permission
from django.db import router, transaction
from django.db.models import Q

#: The names of permissions, as has_perm() takes them, by the name of the group.
READY_MADE: Mapping[str, tuple[str, ...]] = {
    "shop staff": (
        *("orders.view_order", "orders.change_order", "orders.view_catalogueitem"),
        *("inventory.view_product", "inventory.add_product", "inventory.change_product"),
        "users.view_user",
    ),
    "stock keeper": (
        *("inventory.view_stock", "inventory.change_stock", "inventory.view_movement"),
        *("inventory.view_location", "inventory.add_location", "inventory.change_location"),
        *("inventory.view_product", "inventory.view_allocation", "inventory.view_reservation"),
    ),
    "operator": (
        *("bus.view_event", "bus.view_subscription", "bus.change_subscription", "bus.view_receipt"),
        *("bus.view_delivery", "bus.change_delivery", "bus.view_failure", "bus.view_failurecount"),
        *("bus.view_refusedmessage", "bus.view_auditentry", "orders.view_order"),
    ),
    "auditor": (
        *("orders.view_order", "orders.view_catalogueitem"),
        *("inventory.view_product", "inventory.view_location", "inventory.view_stock", "inventory.view_movement"),
        *("inventory.view_allocation", "inventory.view_reservation"),
        *("users.view_user", "users.view_mailcount", "auth.view_group", "audit.view_change"),
        *("bus.view_event", "bus.view_subscription", "bus.view_receipt", "bus.view_delivery"),
        *("bus.view_failure", "bus.view_failurecount", "bus.view_refusedmessage", "bus.view_auditentry"),
    ),
}
#: What the groups are written to.
TABLES = (("auth", "group"), ("auth", "permission"), ("audit", "change"))


def make_groups(*, using: str, apps: Apps = installed, **_: Any) -> None:
    """Make the missing groups, after migrate has made the last permissions.

    Args:
        apps: the models whose tables the database has by now, which may be fewer than the project's.
    """
    made = {(model._meta.app_label, model._meta.model_name) for model in apps.get_models()}
    if not made.issuperset(TABLES) or not router.allow_migrate_model(using, Group):
        return
    known = set(Group.objects.using(using).filter(name__in=READY_MADE).values_list("name", flat=True))
    for name, permissions in READY_MADE.items():
        if name in known:
            continue
        wanted = [tuple(permission.split(".")) for permission in permissions if is_installed(permission)]
        found = Permission.objects.using(using).filter(
            Q(*(Q(content_type__app_label=label, codename=codename) for label, codename in wanted), _connector=Q.OR)
        )
        if len(found) == len(wanted):
            with transaction.atomic(using=using):
                Group.objects.using(using).create(name=name).permissions.set(found)


def is_installed(permission: str) -> bool:
    """Tell whether the app of a permission is part of this process; services may run apart."""
    return any(config.label == permission.partition(".")[0] for config in installed.get_app_configs())
