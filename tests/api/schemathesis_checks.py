"""What schemathesis checks: in tests/api/test_schemathesis.py for seconds, and in `make schemathesis` for minutes."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.schemas import BaseSchema

#: A body that agrees with the description may still be refused: no product has its SKU, the order is cancelled already,
#: the account has used its quota.
ALLOWED_FOR_VALID_INPUT = ["2xx", "400", "401", "403", "404", "409", "429"]
#: Characters of a violation that are printed.
MAX_LENGTH = 2000

#: Whose requests they are: the fields of an account, or None for anonymous ones.
KINDS: dict[str, dict[str, bool] | None] = {
    "anonymous": None,
    "customer": {},
    "staff": {"is_staff": True},
    "superuser": {"is_staff": True, "is_superuser": True},
}


def configuration(*, token: str, phases: tuple[str, ...], **options: Any) -> dict[str, Any]:
    """The configuration of schemathesis: all checks.

    Args:
        token: of an account; empty for anonymous requests.
        phases: of examples, coverage, fuzzing and stateful.
    """
    return {
        "seed": 1,
        "continue-on-failure": True,
        "checks": {
            "enabled": True,
            "positive_data_acceptance": {"expected-statuses": ALLOWED_FOR_VALID_INPUT},
            "negative_data_rejection": {"expected-statuses": ["4xx"]},
        },
        "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
        "headers": {"Authorization": f"Bearer {token}"} if token else {},
        **options,
    }


@dataclass(kw_only=True)
class Findings:
    """The answers, by status, and what does not agree with the description."""

    statuses: Counter[int] = field(default_factory=Counter)
    #: By operation, check and title: how often, and the first one.
    violations: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def server_errors(self) -> int:
        return sum(number for status, number in self.statuses.items() if status >= 500)

    def add(self, violation: str, *, example: str) -> None:
        self.violations[violation] += 1
        self.examples.setdefault(violation, example[:MAX_LENGTH])


def check_operations(schema: BaseSchema) -> Findings:
    """Call all operations."""
    findings = Findings()
    for event in from_schema(schema).execute():
        match event:
            case FatalError():
                findings.add("schemathesis failed", example=str(event.exception))
            case NonFatalError():
                findings.add(f"schemathesis failed: {event.label}", example=str(event.value))
            case ScenarioFinished():
                for interaction in event.recorder.interactions.values():
                    findings.statuses[interaction.response.status_code if interaction.response else 0] += 1
                for checks in event.recorder.checks.values():
                    for check in checks:
                        if (found := check.failure_info) is not None:
                            violation = f"{event.label}: {check.name}: {found.failure.title}"
                            findings.add(violation, example=f"{found.failure.message}\n{found.code_sample}")
    return findings
