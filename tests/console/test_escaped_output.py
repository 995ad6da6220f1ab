"""What commands print of names, errors and files cannot command a terminal, forge a line, or style itself."""

import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.core.management.base import OutputWrapper
from django.db import connection
from rich.text import Text
from rich.tree import Tree

from inventory import operations as inventory
from inventory.models import Location, Movement, Product
from project.bus import PermanentError, publish
from project.bus.management.base import Command, OperatorCommand
from project.bus.management.output import EscapedConsole
from project.bus.models import AuditEntry, Delivery, Event, Failure, Subscription
from project.bus.worker.consumer import answer_bell
from project.demo.management.commands import simulate
from project.demo.progress import show_progress
from project.demo.simulation import Tally
from project.demo.simulation_plan import random_plan
from tests.bus.events import Pinged
from tests.hostile_text import FORGED, HOSTILE, assert_harmless, forged_lines
from tests.inventory.helpers import stocked
from tests.inventory.imports import HEADER, import_stock

pytestmark = pytest.mark.django_db

#: What a text column can hold on both databases.
STORABLE = {name: text for name, text in HOSTILE.items() if name not in ("null", "half-a-pair")}
STYLED = "[bold red]red[/] [link=https://evil.example]link[/link] :skull:"
#: What rich itself writes to a terminal: colours, and where the cursor goes.
RICHS_OWN = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|2K|[0-9]*A)|\r")
#: All of them in one name, and then something that would be a line of its own.
NAME = "".join(STORABLE.values())


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[StringIO, Terminal], ids=["file", "terminal"])
def printed(request, monkeypatch):
    """Run a command, and return what it prints without what rich adds on a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "300")

    def printed(*words: str) -> str:
        out, err = request.param(), request.param()
        try:
            call_command(*words, stdout=out, stderr=err)
        except CommandError as error:
            err.write(f"{error}\n")
        return RICHS_OWN.sub("", out.getvalue() + err.getvalue())

    return printed


def reported(text: str) -> str:
    """A text with its markup as it is: nothing of it was taken for a style, a link or an emoji."""
    assert_harmless(text)
    assert STYLED in text
    return text


def test_the_commands_of_the_bus_show_names_and_errors_escaped(subscribed, printed):
    def fail(event):
        raise PermanentError(f"{STYLED}{NAME}{FORGED}")

    handler = subscribed(fail, Pinged, external=True)
    publish(Pinged(number=1))
    answer_bell(handler)
    delivery = Delivery.objects.get()
    reported(printed("bus", "dead-letters", "show", str(delivery.pk)))
    name = f"{NAME}{STYLED}"
    Subscription.objects.filter(handler=handler.name).update(paused=True, handler=name)
    reported(printed("bus", "status"))
    assert json.loads(printed("bus", "status", "--json"))["handlers"]["paused"] == [name]
    assert_harmless(printed("bus", "status", "--json"))
    Delivery.objects.update(handler=name)
    reported(printed("bus", "dead-letters", "list"))
    Failure.objects.update(worker=f"{NAME}{FORGED}"[:100])
    assert_harmless(printed("bus", "dead-letters", "show", str(delivery.pk)))


def test_a_trace_shows_names_escaped(subscribed, printed):
    subscribed(lambda event: None, Pinged)
    publish(Pinged(number=1))
    Delivery.objects.update(handler=f"{STYLED}{NAME}")
    reported(printed("trace", str(Event.objects.get().pk)))


def test_verify_stock_shows_names_escaped(printed):
    product = stocked("MUG", north=1)
    Product.objects.filter(pk=product.pk).update(sku=f"{STYLED[:40]}{NAME}"[:64])
    Location.objects.update(code=f"{NAME}{STYLED}"[:32])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_stock SET on_hand = on_hand + 1")
    shown = printed("verify_stock")
    assert_harmless(shown)
    assert STYLED[:20] in shown


@pytest.mark.parametrize("column", range(7))
def test_import_stock_shows_the_values_of_a_file_escaped(tmp_path, column):
    inventory.add_location(code="north", name="North", priority=0)
    file = tmp_path / "delivery.csv"
    for hostile in HOSTILE.values():
        row = ["CUP", "north", "5", "a reason", "Cup", "3.50", "EUR"]
        row[column] = f"{row[column]}{hostile}{FORGED}"
        quoted = ",".join(f'"{value}"' for value in row)
        rows = f"{HEADER}{quoted}\n"
        file.write_bytes(rows.encode(errors="surrogatepass"))
        result = import_stock(file, "--dry-run")
        assert_harmless(result.error + result.output + "\n".join(result.bad_rows))


def test_import_stock_shows_the_name_of_a_column_escaped(tmp_path):
    file = tmp_path / "delivery.csv"
    for hostile in HOSTILE.values():
        file.write_bytes(f'sku,location,quantity,"{hostile}{FORGED}"\nMUG,north,1,1\n'.encode(errors="surrogatepass"))
        assert_harmless(import_stock(file).error)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("stream", [StringIO, Terminal])
def test_the_progress_of_a_simulation_is_shown_escaped(hostile, stream, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "300")
    out = stream()
    with show_progress(OutputWrapper(out)) as progress:
        progress(f"step{hostile}", 1, 1, f"{STYLED}{hostile}{FORGED}")
    shown = RICHS_OWN.sub("", out.getvalue())
    reported(shown)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("null", "half-a-pair")])
def test_import_stock_stores_the_name_of_a_file_escaped(tmp_path, name):
    inventory.add_location(code="north", name="North", priority=0)
    file = tmp_path / f"n{HOSTILE[name]}{FORGED}.csv"
    file.write_text("sku,location,quantity,name,price,currency\nCUP,north,5,Cup,3.50,EUR\n")
    assert import_stock(file).exit_code == 0
    assert_harmless(Movement.objects.get().reason, allowed="")


@pytest.mark.parametrize("name", STORABLE)
@pytest.mark.parametrize("way", ["option", "environment"])
def test_the_audit_stores_the_name_of_a_person_escaped(monkeypatch, name, way):
    actor = f"A{STORABLE[name]}{FORGED}"
    if way == "environment":
        monkeypatch.setenv("LOGNAME", actor)
    options = ["--as", actor] if way == "option" else []
    call_command("bus", "pause", "inventory.reserve_stock", *options, "--yes", stdout=StringIO())
    assert_harmless(AuditEntry.objects.get().actor, allowed="")


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("words", [["verify_stock"], ["bus", "status"], ["bus", "dead-letters", "list"]], ids=" ".join)
def test_wrong_arguments_are_shown_escaped(hostile, words, capsys):
    command = load_command_class(get_commands()[words[0]], words[0])
    command._called_from_command_line = True  # type: ignore[attr-defined]
    with pytest.raises(SystemExit):
        command.create_parser("manage.py", words[0]).parse_args([*words[1:], f"--x{hostile}{FORGED}"])
    assert_harmless(capsys.readouterr().err)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("stream", [StringIO, Terminal])
def test_whatever_a_command_writes_is_escaped_but_for_line_ends(hostile, stream):
    class Says(OperatorCommand):
        def handle(self, **options):
            self.stdout.write(f"a{hostile}b")
            self.stderr.write(f"c{hostile}d")
            self.show_progress(f"progress{hostile}")

    out, err = stream(), stream()
    call_command(Says(), stdout=out, stderr=err)
    shown = RICHS_OWN.sub("", out.getvalue() + err.getvalue())
    assert_harmless(shown)
    assert "b\n" in shown
    assert "d\n" in shown
    assert ("progress" in shown) is (stream is Terminal)


def test_a_console_escapes_a_text_that_is_no_string():
    for hostile in HOSTILE.values():
        out = StringIO()
        tree = Tree(Text(f"{STYLED}{hostile}"))
        tree.add(Text.assemble((f"{hostile}{FORGED}", "red")))
        EscapedConsole(OutputWrapper(out), width=300).print(tree)
        reported(out.getvalue())


def test_a_style_of_djangos_stays_on_a_terminal():
    class Says(Command):
        def handle(self, **options):
            self.stderr.write("broken")

    err = Terminal()
    command = Says(stderr=err, force_color=True)
    command.execute(force_color=True, no_color=False, skip_checks=True)
    assert re.fullmatch(r"\x1b\[[0-9;]+mbroken\n?\x1b\[0m\n?", err.getvalue())


def test_the_reasons_of_a_simulation_stay_in_one_line(monkeypatch):
    plan = random_plan(users=1, orders=1, seed=1)
    tally = Tally()
    for hostile in HOSTILE.values():
        tally.failures[f"{STYLED}{hostile}{FORGED}"] += 1
    out = StringIO()
    simulate.Command(stdout=out).report(plan, tally)
    reported(out.getvalue())
    assert out.getvalue().count("not accepted: 1 x") == len(HOSTILE)


def test_the_texts_of_these_tests_would_forge_a_line():
    assert forged_lines(f"a\n{FORGED}") == [FORGED]
