"""A new database, one that was upgraded, and one made from the models alone have the same schema."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, migrations, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from tests.migrations.helpers import LABELS, REPLACED, V010, empty_database, migrate_replaced, our_models, query, schema

#: Indexes that the models cannot declare, as SQLite cannot have them.
ONLY_IN_MIGRATIONS = {
    "index inventory_product.inventory_product_words",
    "index users_user.users_user_words",
}


def named(kind):
    return [(model, found) for model in our_models() for found in getattr(model._meta, kind)]


@pytest.fixture
def migrated(empty):
    call_command("migrate", verbosity=0)
    return schema()


def test_the_models_need_no_migration(migrated):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_plan_of_a_migration_says_what_its_operations_do():
    on_disk = MigrationLoader(None, replace_migrations=False).disk_migrations
    for app, operations in {
        "inventory": ("Run statements on postgresql", "Rename constraints of product", "Change movement in place"),
        "bus": ("Run statements on sqlite", "Change delivery in place"),
    }.items():
        described = [
            operation.describe()
            for (label, _), migration in on_disk.items()
            for operation in migration.operations
            if label == app
        ]
        assert set(operations) <= set(described)


def test_an_upgraded_database_has_the_schema_of_a_new_one(migrated, tmp_path):
    with empty_database(tmp_path):
        migrate_replaced(V010)
        call_command("migrate", verbosity=0)
        upgraded = schema()
    assert upgraded == migrated


def test_a_new_database_runs_one_migration_for_each_app_and_what_came_after_it(migrated):
    applied = query("SELECT app, name FROM django_migrations")
    replaced = {key for migration in squashed().values() for key in migration.replaces}
    ours = {(app, name) for app, name in applied if app in LABELS}
    later = {key for key in MigrationLoader(None).graph.nodes if key[0] in LABELS} - set(squashed())
    assert not later & replaced
    assert ours == replaced | set(squashed()) | later
    assert set(REPLACED) <= replaced


def squashed():
    loader = MigrationLoader(None)
    return {key: found for key, found in loader.disk_migrations.items() if found.replaces and key[0] in LABELS}


def test_the_models_declare_what_the_database_has(migrated, tmp_path):
    """All but triggers, storage options and the indexes on words."""
    with empty_database(tmp_path):
        MigrationExecutor(connection).migrate([("auth", "0012_alter_user_first_name_max_length")])
        with connection.schema_editor() as editor:
            for label in LABELS:
                for model in apps.get_app_config(label).get_models():
                    editor.create_model(model)
        declared = schema()
    if connection.vendor == "sqlite":
        assert not ONLY_IN_MIGRATIONS & set(migrated)
    kinds = ("table", "column", "index", "constraint")
    assert {name: facts for name, facts in declared.items() if name.startswith(kinds)} == {
        name: facts for name, facts in migrated.items() if name.startswith(kinds) and name not in ONLY_IN_MIGRATIONS
    }


def test_names_begin_with_the_app_and_have_at_most_30_characters():
    for model, found in [*named("constraints"), *named("indexes")]:
        assert found.name.startswith(f"{model._meta.app_label}_"), found.name
        assert len(found.name) <= 30, found.name


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps statements, not definitions")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "found"),
    [*named("constraints"), *named("indexes")],
    ids=lambda value: getattr(value, "name", None) or value.__name__,
)
def test_a_migration_can_remove_and_add_each_constraint_and_index(model, found):
    kind = "Constraint" if found in model._meta.constraints else "Index"
    name = model._meta.model_name
    before = schema()
    with transaction.atomic(), connection.schema_editor() as editor:
        state = ProjectState.from_apps(apps)
        for operation in (
            getattr(migrations, f"Remove{kind}")(name, found.name),
            getattr(migrations, f"Add{kind}")(name, found),
        ):
            old = state.clone()
            operation.state_forwards(model._meta.app_label, state)
            operation.database_forwards(model._meta.app_label, editor, old, state)
            if operation.__class__.__name__.startswith("Remove"):
                assert set(before) - set(schema())
    assert schema() == before
