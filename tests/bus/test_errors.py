"""The bus's errors: all in one module, with one root."""

import builtins
import inspect

from project.bus import BusError, errors
from tests.bus.sources import classes_of, sources


def test_every_error_of_the_bus_is_a_bus_error():
    found = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    assert len(found) > 10
    assert [error.__name__ for error in found if not issubclass(error, BusError)] == []


def test_no_other_module_of_the_bus_defines_an_error():
    exceptions = {
        name for name, value in vars(builtins).items() if inspect.isclass(value) and issubclass(value, BaseException)
    }
    exceptions |= {name for name, value in vars(errors).items() if inspect.isclass(value)}
    defined = [
        f"{path}: {class_.name}"
        for path, source in sources("project/bus")
        if path != "project/bus/errors.py"
        for class_, bases in classes_of(source)
        if bases & exceptions or class_.name.endswith(("Error", "Exception"))
    ]
    assert defined == []
