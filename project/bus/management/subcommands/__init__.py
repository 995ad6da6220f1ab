"""The subcommands of `manage.py bus`, in the order of its help."""

from ..base import Subcommand
from .dead_letters import DeadLetters
from .pause import Pause
from .prune import Prune
from .relay import RunRelay
from .replay import Replay
from .resume import Resume
from .retire import Retire
from .schemas import WriteSchemas
from .status import Status

_ALL: tuple[type[Subcommand], ...] = (
    RunRelay, Status, DeadLetters, Replay, Pause, Resume, Retire, Prune, WriteSchemas,
)  # fmt: skip
SUBCOMMANDS: dict[str, type[Subcommand]] = {subcommand.name: subcommand for subcommand in _ALL}
