"""The table and the JSON of a benchmark."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measurement import Measurement

#: The systems that ours is compared with, in this order: the usual code, and the upper limits.
PEER, LIMITS = "naive", ("limit", "bare")


@dataclass(frozen=True, kw_only=True)
class Result:
    """A system in a workload, over all rounds."""

    workload: str
    system: str
    rounds: Sequence[Measurement]

    @property
    def rates(self) -> list[float]:
        """Orders a second of each round."""
        return [measurement.rate for measurement in self.rounds]

    @property
    def rate(self) -> float:
        """The median rate of the rounds."""
        return statistics.median(self.rates)

    @property
    def cpu_per_thousand(self) -> float:
        """The median of the CPU seconds for 1,000 orders."""
        return statistics.median(measurement.cpu_per_thousand for measurement in self.rounds)

    def cpu(self) -> dict[str, float]:
        """By process: the median of the CPU seconds for 1,000 orders."""
        return {
            name: statistics.median(
                1000 * measurement.cpu.get(name, 0.0) / measurement.orders for measurement in self.rounds
            )
            for name in self.rounds[0].cpu
        }

    def memory(self) -> dict[str, float]:
        """By process: the peak memory of one process, in MB."""
        return {name: max(measurement.memory[name] for measurement in self.rounds) for name in self.rounds[0].memory}

    def latency(self, percent: float) -> float:
        """The median of the rounds' percentiles, in milliseconds."""
        return statistics.median(measurement.latency(percent) for measurement in self.rounds)

    def as_json(self) -> dict[str, Any]:
        """The figures and their rounds, for the JSON."""
        first = self.rounds[0]
        return {
            "workload": self.workload,
            "system": self.system,
            "orders": first.orders,
            "orders_per_second": {"median": self.rate, "rounds": self.rates},
            "cpu_seconds_per_1000_orders": {"total": self.cpu_per_thousand, **self.cpu()},
            "peak_memory_mb": self.memory(),
            "latency_ms": {"p50": self.latency(50), "p99": self.latency(99)} if first.latencies else None,
            "lock_errors": sum(measurement.lock_errors for measurement in self.rounds),
        }


def ratios(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """By workload: our rate divided by the rate of another system, and its CPU time divided by ours."""
    by_workload: defaultdict[str, dict[str, Result]] = defaultdict(dict)
    for result in results:
        by_workload[result.workload][result.system] = result
    found: dict[str, dict[str, float]] = {}
    for workload, systems in by_workload.items():
        ours = systems.get("ours")
        others = [name for name in (PEER, *LIMITS) if name in systems]
        if ours is None or not others:
            continue
        found[workload] = {}
        if workload == "hot" and "ours" in by_workload.get("bulk", {}):
            found[workload]["ours, hot / uniform"] = ours.rate / by_workload["bulk"]["ours"].rate
        for name in others:
            found[workload][f"ours / {name}"] = ours.rate / systems[name].rate
            found[workload][f"ours / {name}, by CPU"] = systems[name].cpu_per_thousand / ours.cpu_per_thousand
        if ours.rounds[0].latencies and PEER in systems:
            for percent in (50, 99):
                found[workload][f"p{percent}, ours / {PEER}"] = ours.latency(percent) / systems[PEER].latency(percent)
    return found


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table(
        "workload",
        "system",
        "orders/s",
        "from - to",
        "CPU-s per 1,000",
        "of these",
        "peak MB of one process",
        "p50 / p99 ms",
        f"ours / {PEER}",
        "ours / limit",
        caption="In brackets the ratio by CPU seconds per 1,000 orders. CPU of clients is not in the sum.",
    )
    for column in (2, 3, 4, 7, 8, 9):
        table.columns[column].justify = "right"
    compared = ratios(results)
    for result in results:
        latency = f"{result.latency(50):.0f} / {result.latency(99):.0f}" if result.rounds[0].latencies else ""
        table.add_row(
            result.workload,
            result.system,
            f"{result.rate:,.0f}",
            f"{min(result.rates):,.0f} - {max(result.rates):,.0f}",
            f"{result.cpu_per_thousand:.2f}",
            listed(result.cpu(), digits=2),
            listed(result.memory(), digits=0),
            latency,
            *(_compared(compared.get(result.workload, {}), result, names) for names in ((PEER,), LIMITS)),
            end_section=result.system == [other.system for other in results if other.workload == result.workload][-1],
        )
        if result.as_json()["lock_errors"]:
            table.add_row("", "", f"{result.as_json()['lock_errors']} lock errors")
    console.print(table)
    if "ours, hot / uniform" in (hot := compared.get("hot", {})):
        console.print(f"hot products / uniform, ours: {hot['ours, hot / uniform']:.2f}")


def _compared(of_workload: Mapping[str, float], result: Result, names: Sequence[str]) -> str:
    if result.system != "ours":
        return ""
    if f"p50, ours / {PEER}" in of_workload and PEER in names:
        return " / ".join(f"{of_workload[f'p{percent}, ours / {PEER}']:.2f}" for percent in (50, 99))
    for name in names:
        if f"ours / {name}" in of_workload:
            return f"{of_workload[f'ours / {name}']:.2f} ({of_workload[f'ours / {name}, by CPU']:.2f})"
    return ""


def listed(figures: Mapping[str, float], *, digits: int) -> str:
    """Figures by name, the largest first."""
    ordered = sorted(figures.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {figure:.{digits}f}" for name, figure in ordered if round(figure, digits))
