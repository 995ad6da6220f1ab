"""How every process writes its log: whatever comes from outside is escaped, and each record begins one line."""

import copy
import logging
import sys
import threading
import traceback
from types import TracebackType

from project.bus.text import escaped, indented

#: The only form of a line, of our processes and of the servers that run them.
LINE = "{asctime} {levelname} {name}: {message}"


class EscapingFormatter(logging.Formatter):
    """Formats a record as one line, and its traceback as indented lines after it."""

    def __init__(self) -> None:
        super().__init__(LINE, style="{")

    def format(self, record: logging.LogRecord) -> str:
        alone = copy.copy(record)
        alone.exc_info = alone.exc_text = alone.stack_info = None
        lines = [escaped(super().format(alone))]
        # Not record.exc_text, which another formatter may have left there.
        if record.exc_info:
            lines.append(indented(self.formatException(record.exc_info)))
        if record.stack_info:
            lines.append(indented(self.formatStack(record.stack_info)))
        return "\n".join(lines)


def escape_handlers(*loggers: str) -> None:
    """Give our formatter to the handlers that Celery or gunicorn has made for loggers of its own."""
    for name in loggers:
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(EscapingFormatter())


def escape_uncaught_exceptions() -> None:
    """Print an exception that ends this process or a thread as the log would: the interpreter prints it as it is."""
    sys.excepthook = print_exception
    threading.excepthook = print_exception_of_thread


def print_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception: its traceback indented, then the exception in a line."""
    lines = indented("".join(traceback.format_exception(kind, error, trace)))
    last = escaped("".join(traceback.format_exception_only(kind, error)).rstrip("\n"))
    print(f"{lines}\n{last}", file=sys.stderr)  # noqa: T201 - what the interpreter does


def print_exception_of_thread(ended: threading.ExceptHookArgs) -> None:
    """Print the exception that ended a thread, unless it ended itself."""
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        print_exception(ended.exc_type, ended.exc_value, ended.exc_traceback)
