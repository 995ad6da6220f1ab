"""A mutant: the project without one of its safeguards (tests/mutants.py)."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A safeguard, and the change to one file that disables it."""

    name: str
    file: str
    old: str
    new: str
    #: What pytest runs: at least one of these tests must fail.
    tests: str
    #: How often `old` occurs in the file.
    times: int = 1
    postgresql: bool = False
    #: An environment variable; the mutant is skipped where it is not set.
    needs: str = ""
