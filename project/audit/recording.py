"""Recording the changes of models, however they are made: by save(), by a query set, or in a relation.

A service names the fields once, where it connects its signals; see `audited`. A change and its record are one
transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, models, transaction
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save

from project.audit.actors import acting
from project.audit.models import Change

Action = Change.Action
#: Where an instance keeps its stored values between pre_save and post_save.
STORED = "_audit_stored"
CHANGED = "changed"
Row = TypeVar("Row", bound=models.Model)


def never(*_: object) -> bool:
    return False


def always(*_: object) -> bool:
    return True


def nothing(*_: object) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is recorded of a model."""

    model: type[models.Model]
    #: Recorded with old and new value.
    fields: Sequence[str]
    #: Recorded without values, when they change.
    secret: Sequence[str] = ()
    #: Many-to-many fields, each with the look-ups that make the name of a related row.
    relations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: The field that names a row in the audit.
    key: str = "pk"
    #: Whether a save of these fields (None for all) is no change, such as a newer hash of the same password.
    ignored: Callable[[Any, Iterable[str] | None], bool] = never
    #: Whether the addition of an instance is recorded.
    additions: Callable[[Any], bool] = always
    #: What else goes with a row that is deleted: names with old and new values.
    lost: Callable[[Any], Mapping[str, Any]] = nothing
    #: Raises what prevents a change of an instance, whose fields are named.
    guard: Callable[[Any, Iterable[str]], object] = never

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.fields, *self.secret)

    def differences(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that differ, as they are recorded."""
        return {
            name: CHANGED if name in self.secret else [self.plain(name, old[name]), self.plain(name, new[name])]
            for name in old
            if self.plain(name, old[name]) != self.plain(name, new[name])
        }

    def plain(self, name: str, value: Any) -> Any:
        """A value as it is stored: a price as a decimal with all its places."""
        column: models.Field[Any, Any] = self.model._meta.get_field(name)  # type: ignore[assignment]
        value = column.to_python(value)
        if isinstance(column, models.DecimalField) and isinstance(value, Decimal):
            return value.quantize(Decimal(1).scaleb(-column.decimal_places))
        return value

    def addition(self, instance: models.Model) -> Change:
        """The record of a new row."""
        fields = {name: [None, self.plain(name, getattr(instance, name))] for name in self.fields}
        return self.change(Action.ADD, getattr(instance, self.key), fields)

    def change(self, action: str, key: object, fields: Mapping[str, Any]) -> Change:
        return Change(
            actor=acting(),
            action=action,
            object_type=self.model._meta.label_lower,
            object_id=str(key),
            fields=fields,
        )


RULES: dict[type[models.Model], Rule] = {}


def audited(model: type[models.Model], **rule: Any) -> None:
    """Record the changes of a model from now on; `Rule` has the arguments.

    Example:
        audited(Product, fields=("name", "price"), key="sku")
    """
    RULES[model] = Rule(model=model, **rule)
    pre_save.connect(remember_stored, sender=model)
    post_save.connect(record_save, sender=model)
    pre_delete.connect(record_deletion, sender=model)
    for name in RULES[model].relations:
        m2m_changed.connect(record_relation, sender=getattr(model, name).through)


def remember_stored(
    sender: type[models.Model], instance: Any, raw: bool, using: str, update_fields: Any, **_: Any
) -> None:
    """Read the stored values before they are overwritten."""
    rule = RULES[sender]
    names = [name for name in rule.names if update_fields is None or name in update_fields]
    instance.__dict__.pop(STORED, None)
    if not names or rule.ignored(instance, update_fields):
        return
    key = sender._meta.pk
    assert key is not None  # noqa: S101 - for mypy
    stored = None
    # Like Django, take a row that is being added with a key of its own making for a new one.
    if instance.pk is not None and not (instance._state.adding and key.has_default() and not raw):  # noqa: SLF001
        rows = sender._base_manager.using(using).filter(pk=instance.pk)
        # Outside a transaction nothing can be locked.
        rows = rows.select_for_update(no_key=True) if transaction.get_connection(using).in_atomic_block else rows
        stored = rows.values(*names).first()
    setattr(instance, STORED, stored)


def record_save(*, sender: type[models.Model], instance: Any, created: bool, using: str, **_: Any) -> None:
    """Record what save() added or changed."""
    if STORED not in instance.__dict__:
        return
    rule, stored = RULES[sender], instance.__dict__.pop(STORED)
    if created or stored is None:
        rule.guard(instance, [name for name in rule.fields if getattr(instance, name)])
        changes = [rule.addition(instance)] if rule.additions(instance) else []
    else:
        current = {name: getattr(instance, name) for name in stored}
        if any(hasattr(value, "resolve_expression") for value in current.values()):
            current = sender._base_manager.using(using).values(*stored).get(pk=instance.pk)
        differences = rule.differences(stored, current)
        rule.guard(instance, differences)
        changes = [rule.change(Action.CHANGE, getattr(instance, rule.key), differences)] if differences else []
    write(changes, using=using)


def record_deletion(*, sender: type[models.Model], instance: Any, using: str, **_: Any) -> None:
    """Record a row and its relations before they are deleted."""
    rule = RULES[sender]
    fields: dict[str, Any] = {name: [rule.plain(name, getattr(instance, name)), None] for name in rule.fields}
    for name in rule.relations:
        fields[name] = [sorted(related(rule, instance, name).values()), []]
    rule.guard(instance, fields)
    write([rule.change(Action.DELETE, getattr(instance, rule.key), {**fields, **rule.lost(instance)})], using=using)


def record_relation(
    *, sender: Any, instance: Any, action: str, reverse: bool, pk_set: Any, using: str, **_: Any
) -> None:
    """Record what is added to a relation or removed from it, from whichever side, before it is."""
    if action not in ("pre_add", "pre_remove", "pre_clear"):
        return
    rule, name = next(
        (rule, name)
        for rule in RULES.values()
        for name in rule.relations
        if getattr(rule.model, name).through is sender
    )
    owners: Iterable[Any] = [instance]
    if reverse:
        of_instance = rule.model._base_manager.using(using).filter(**{name: instance.pk})
        owners = of_instance if pk_set is None else rule.model._base_manager.using(using).filter(pk__in=pk_set)
    changes = []
    for owner in owners:
        before = related(rule, owner, name)
        keys = set(before) if pk_set is None else set(pk_set)
        keys = {instance.pk} if reverse else keys
        after = before | labels(rule, name, keys, using=using) if action == "pre_add" else without(before, keys)
        if before != after:
            rule.guard(owner, [name])
            fields = {name: [sorted(before.values()), sorted(after.values())]}
            changes.append(rule.change(Action.CHANGE, getattr(owner, rule.key), fields))
    write(changes, using=using)


def related(rule: Rule, owner: Any, name: str) -> dict[Any, str]:
    """The names of the rows that a row is related to, by their keys."""
    return named(getattr(owner, name).all(), rule.relations[name])


def labels(rule: Rule, name: str, keys: Iterable[Any], *, using: str) -> dict[Any, str]:
    """The names of rows that a row could be related to, by their keys."""
    target = getattr(rule.model, name).field.related_model
    return named(target._base_manager.using(using).filter(pk__in=keys), rule.relations[name])


def named(rows: "models.QuerySet[Any]", lookups: Sequence[str]) -> dict[Any, str]:
    return {key: ".".join(parts) for key, *parts in rows.order_by().values_list("pk", *lookups)}


def without(names: Mapping[Any, str], keys: Iterable[Any]) -> dict[Any, str]:
    return {key: name for key, name in names.items() if key not in keys}


def record(instance: models.Model, fields: Mapping[str, str]) -> None:
    """Record what an operation did to a row, in its transaction, where its fields do not tell it.

    Example:
        record(user, {"lock_out": "cleared by staff"})
    """
    rule = RULES[type(instance)]
    write([rule.change(Action.CHANGE, getattr(instance, rule.key), fields)], using=DEFAULT_DB_ALIAS)


def write(changes: Sequence[Change], *, using: str) -> None:
    """Write records in the transaction of their changes."""
    if changes:
        Change.objects.using(using).bulk_create(changes)


class AuditedQuerySet(models.QuerySet[Row]):
    """Records the changes that send no signal: those of update(), bulk_update() and bulk_create()."""

    def update(self, **changes: Any) -> int:
        """Update the rows, and record what changes. bulk_update() calls this."""
        # The models of migrations have no rule.
        rule = RULES.get(self.model)
        names = [name for name in rule.names if name in changes] if rule else []
        if rule is None or not names:
            return super().update(**changes)
        with transaction.atomic(using=self.db):
            columns = ("pk", rule.key, *names)
            stored = {row["pk"]: row for row in self.order_by().select_for_update(no_key=True).values(*columns)}
            count = super().update(**changes)
            records = []
            for current in self.model._base_manager.using(self.db).filter(pk__in=stored).values(*columns):
                old = {name: stored[current["pk"]][name] for name in names}
                if differences := rule.differences(old, current):
                    rule.guard(self.model(pk=current["pk"]), differences)
                    records.append(rule.change(Action.CHANGE, current[rule.key], differences))
            write(records, using=self.db)
        return count

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[Row], *args: Any, **options: Any) -> list[Row]:
        """Insert the rows, and record those that are new.

        Raises:
            ValueError: existing rows would be updated, and nothing would tell how.
        """
        if args or options.get("update_conflicts"):
            raise ValueError("Rows that are audited cannot be updated by bulk_create(). Use update().")
        rule = RULES[self.model]
        with transaction.atomic(using=self.db):
            created = super().bulk_create(objs, **options)
            recorded = [instance for instance in created if rule.additions(instance)]
            if recorded and options.get("ignore_conflicts"):
                there = self.model._base_manager.using(self.db).filter(pk__in=[instance.pk for instance in recorded])
                inserted = set(there.values_list("pk", flat=True))
                recorded = [instance for instance in recorded if instance.pk in inserted]
            for instance in recorded:
                rule.guard(instance, [name for name in rule.fields if getattr(instance, name)])
            write([rule.addition(instance) for instance in recorded], using=self.db)
        return created

    bulk_create.alters_data = True  # type: ignore[attr-defined]
