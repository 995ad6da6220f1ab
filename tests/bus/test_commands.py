"""`manage.py bus`: one command whose subcommands behave as commands of their own."""

import json
import os
import re
import subprocess
import sys
from io import StringIO

import pytest
from django.conf import settings
from django.core.checks import Error, registry
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from project.bus import publish
from project.bus.management.commands.bus import Command
from project.bus.management.subcommands import SUBCOMMANDS
from project.bus.models import AuditEntry, Delivery, Event, Subscription
from tests.bus.events import Pinged
from tests.bus.helpers import bus

NO_DATABASE = {"DATABASE_URL": "postgres://somebody@127.0.0.1:1/orderly"}


class Terminal(StringIO):
    """A terminal, for what asks whether it is one."""

    def isatty(self) -> bool:
        return True


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=settings.BASE_DIR,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def typed(capsys):
    """Type `manage.py bus`; returns the exit code and what is printed to stdout and stderr."""

    def typed(*words: str) -> tuple[int, str, str]:
        code = 0
        try:
            Command().run_from_argv(["manage.py", "bus", *words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return typed


def test_help_lists_the_subcommands_with_a_line_each(typed):
    code, out, _ = typed("--help")
    assert code == 0
    for name, subcommand in SUBCOMMANDS.items():
        assert re.search(rf"^ +{name} +{re.escape(subcommand.summary)}$", out, re.MULTILINE), name


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_of_a_subcommand_has_its_own_usage_text_and_djangos_options(typed, name):
    code, out, _ = typed(name, "--help")
    assert code == 0
    assert out.startswith(f"usage: manage.py bus {name} ")
    assert SUBCOMMANDS[name].help in out
    assert all(option in out for option in ("--settings", "--traceback", "--verbosity", "--no-color"))
    assert ("--skip-checks" in out) == (name != "schemas")


def test_a_missing_or_unknown_subcommand_is_refused_with_the_list(typed):
    for words in ([], ["repaly"], ["--traceback"]):
        code, out, err = typed(*words)
        assert (code, out) == (2, ""), words
        assert all(name in err for name in SUBCOMMANDS), words
    with pytest.raises(CommandError, match="name a subcommand: relay, status, dead-letters"):
        call_command("bus")
    with pytest.raises(CommandError, match="invalid choice: 'repaly'"):
        call_command("bus", "repaly")


def test_the_old_commands_are_unknown():
    for name in (
        *("relay", "bus_status", "dead_letters", "replay", "pause", "resume", "retire_handler"),
        *("prune_events", "event_schemas"),
    ):
        with pytest.raises(CommandError, match=f"Unknown command: '{name}'"):
            call_command(name)


@pytest.mark.django_db
def test_options_can_be_given_as_words_or_as_arguments():
    for words, options in ((["--json"], {}), ([], {"json": True})):
        out = StringIO()
        call_command("bus", "status", *words, stdout=out, **options)
        assert json.loads(out.getvalue())["events"]["total"] == 0
    with pytest.raises(TypeError, match="Unknown option"):
        call_command("bus", "status", jsno=True)


@pytest.mark.parametrize(
    "words",
    [
        ["--verbosity", "3", "--no-color", "dead-letters", "list"],
        ["dead-letters", "list", "--verbosity", "3", "--no-color"],
        ["dead-letters", "--no-color", "list", "--verbosity", "3"],
    ],
    ids=" ".join,
)
def test_djangos_options_can_stand_before_and_after_the_subcommand(words):
    options = Command().create_parser("manage.py", "bus").parse_args(words)
    assert (options.subcommand, options.verb, options.verbosity, options.no_color) == ("dead-letters", "list", 3, True)
    assert (options.traceback, options.settings, options.skip_checks) == (False, None, False)


def test_settings_can_be_named_after_the_subcommand():
    ended = manage("bus", "schemas", "--check", "--settings", "nowhere.settings")
    assert ended.returncode == 1
    assert "No module named 'nowhere'" in ended.stderr


def test_the_traceback_can_be_asked_for_after_the_subcommand():
    one_line = manage("bus", "status", **NO_DATABASE)
    assert (one_line.returncode, len(one_line.stderr.splitlines())) == (2, 1)
    assert "Traceback (most recent call last)" in manage("bus", "status", "--traceback", **NO_DATABASE).stderr


def test_schemas_needs_no_database():
    ended = manage("bus", "schemas", "--check", **NO_DATABASE)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.django_db
def test_a_subcommand_runs_the_system_checks_that_it_needs(monkeypatch, tmp_path):
    def refuse(**_):
        return [Error("a setting is wrong")]

    monkeypatch.setattr(registry.registry, "registered_checks", {refuse})
    monkeypatch.setattr(refuse, "tags", (), raising=False)
    for words in (["relay"], ["status"], ["pause", "bus.other", "--yes"]):
        with pytest.raises(SystemCheckError, match="a setting is wrong"):
            call_command("bus", *words, skip_checks=False)
    call_command("bus", "schemas", "--directory", str(tmp_path), skip_checks=False, stdout=StringIO())


@pytest.fixture
def dead(subscribed):
    """A dead letter of a handler with a long name."""

    def handler_with_a_name_that_is_as_long_as_any_that_people_give_to_what_they_subscribe(event):
        pass

    handler = subscribed(handler_with_a_name_that_is_as_long_as_any_that_people_give_to_what_they_subscribe, Pinged)
    publish(Pinged(number=1))
    Delivery.objects.update(dead_at="2026-11-24T05:30Z", signature="3f2a" * 16)
    Subscription.objects.filter(handler=handler.name).update(paused=True)
    return handler


def test_tables_cut_no_name_where_there_is_no_terminal(dead, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    for words in (["dead-letters", "list"], ["status"]):
        printed = bus(*words)
        assert dead.name in printed
        assert "…" not in printed


def test_tables_fold_names_on_a_narrow_terminal_and_cut_none(dead, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "xterm")
    for words in (["dead-letters", "list"], ["status"]):
        terminal = Terminal()
        call_command("bus", *words, stdout=terminal)
        printed = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
        assert max(map(len, printed.splitlines())) <= 70
        assert "…" not in printed


@pytest.mark.django_db
def test_progress_is_shown_on_a_terminal_alone(subscribed):
    handler = subscribed(lambda event: None, Pinged)
    publish(Pinged(number=1), Pinged(number=2))
    terminal = Terminal()
    call_command("bus", "replay", "--handler", handler.name, "--yes", stdout=terminal)
    assert "2 of 2 events\r" in terminal.getvalue()
    assert "2 of 2" not in bus("replay", "--handler", handler.name)


@pytest.mark.parametrize(("answer", "paused"), [("yes", True), ("YES ", True), ("y", False), ("", False)])
def test_a_change_is_made_only_after_a_person_types_yes(subscribed, monkeypatch, answer, paused):
    handler = subscribed(lambda event: None, Pinged)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    out = StringIO()
    call_command("bus", "pause", handler.name, stdout=out)
    assert ("Nothing was done." in out.getvalue()) != paused
    assert Subscription.objects.get(handler=handler.name).paused == paused
    assert AuditEntry.objects.count() == paused


@pytest.mark.parametrize(
    "words",
    [
        "pause {handler}",
        "resume {handler}",
        "retire {handler}",
        "replay --handler {handler}",
        "prune --keep 0s",
        "dead-letters retry --all",
        "dead-letters discard --all",
    ],
)
def test_a_change_that_the_person_refuses_is_not_made(dead, monkeypatch, words):
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    before = [list(model.objects.order_by("pk").values()) for model in (Event, Delivery, Subscription)]
    out = StringIO()
    call_command("bus", *words.format(handler=dead.name).split(), stdout=out)
    assert out.getvalue().endswith("Nothing was done.\n")
    assert [list(model.objects.order_by("pk").values()) for model in (Event, Delivery, Subscription)] == before
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("pause bus.other --yes", 1),
        ("retire bus.other --yes", 1),
        ("dead-letters show 999999", 1),
        ("replay --type tests.nothing --yes", 1),
        ("prune", 2),
        ("dead-letters retry", 2),
        ("replay --yes", 2),
        ("replay --since yesterday --yes", 2),
        ("dead-letters list", 0),
    ],
)
def test_exit_codes_tell_refusals_from_wrong_arguments(typed, words, code):
    ended, _, err = typed(*words.split())
    assert ended == code
    assert bool(err) == (code != 0)


@pytest.mark.django_db
def test_the_audit_names_the_actor_or_the_user_of_the_operating_system(subscribed, monkeypatch):
    handler = subscribed(lambda event: None, Pinged)
    bus("pause", handler.name)
    monkeypatch.setenv("LOGNAME", "somebody")
    call_command("bus", "resume", handler.name, "--yes", stdout=StringIO())
    assert list(AuditEntry.objects.order_by("id").values_list("actor", "action")) == [
        ("ann", "pause"),
        ("somebody", "resume"),
    ]


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("No username set in the environment")])
def test_the_audit_names_the_number_of_a_user_without_a_name(subscribed, monkeypatch, error):
    def no_name() -> str:
        raise error

    handler = subscribed(lambda event: None, Pinged)
    monkeypatch.setattr("getpass.getuser", no_name)
    call_command("bus", "pause", handler.name, "--yes", stdout=StringIO())
    assert AuditEntry.objects.get().actor == f"uid {os.getuid()}"
