"""python -m benchmarks.agent SHOP ACTION: what has to happen inside a system's own processes, with its own settings.

`set_up` fills an empty database and prints what the driver needs to know, as JSON. `token` prints a bearer token,
`costs` what looks and claims take, `steps` where an order's time goes.
`place` gets ready, says so, waits for a line on standard input, places its orders, and prints what came of it.
"""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.specs import BULK, MIXES, Spec, chunks, specs

#: Orders that a steady placer is at most ahead: the figure that it goes by is a second old.
AHEAD = 10_000
STEADY_SEED = 1_000_000


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", help="the module of the peer")
    parser.add_argument("action", choices=("set_up", "token", "costs", "steps", "place"))
    parser.add_argument("--history", type=int, default=0, help="orders that are there before")
    parser.add_argument("--how", choices=("one", "bulk", "rate", "steady"), default="one")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, for --how steady")
    parser.add_argument("--rate", type=float, default=20.0, help="orders a second, for --how rate")
    parser.add_argument("--orders", type=int, default=0)
    parser.add_argument("--warm-up", type=int, default=0, help="orders placed before it is ready")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mix", choices=MIXES, default="uniform")
    options = parser.parse_args()
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        import django  # noqa: PLC0415 - the limit does without

        django.setup()
    shop: Any = importlib.import_module(options.shop)
    if options.action == "set_up":
        say(shop.set_up(history=options.history))
    elif options.action == "token":
        say(shop.token())
    elif options.action == "costs":
        say(shop.costs())
    elif options.action == "steps":
        say(shop.steps(orders=options.orders))
    else:
        wanted = specs(count=options.warm_up + options.orders, seed=options.seed, mix=options.mix)
        place(shop, wanted[: options.warm_up], how="bulk" if options.how in ("bulk", "steady") else "one")
        say("ready")
        sys.stdin.readline()
        if options.how == "steady":
            say(place_steadily(shop, seconds=options.seconds))
            return
        say(place(shop, wanted[options.warm_up :], how=options.how, rate=options.rate))


def place(shop: Any, wanted: Sequence[Spec], *, how: str, rate: float = 20.0) -> dict[str, Any]:
    """Place orders, and tell how long that took, and when each was due if they come at a rate."""
    placer = Placer(shop)
    cpu, start = time.process_time(), time.time()
    begun: list[tuple[str, float]] = []
    if how == "bulk":
        for chunk in chunks(wanted):
            placer.attempt(shop.place_many, chunk)
    elif how == "one":
        for spec in wanted:
            placer.attempt(shop.place_one, spec)
    else:
        for number, spec in enumerate(wanted):
            # When it was to be placed, not when the one before let it be.
            due = start + number / rate
            time.sleep(max(due - time.time(), 0))
            begun.append((str(placer.attempt(shop.place_one, spec)), due))
    return {
        "seconds": time.time() - start,
        "cpu": time.process_time() - cpu,
        "lock_errors": placer.lock_errors,
        "begun": begun,
    }


def place_steadily(shop: Any, *, seconds: float) -> dict[str, Any]:
    """Place in bulk for so long, never more than a few seconds' work ahead of those who work at it."""
    start, placed, settled_before = time.time(), 0, shop.settled()
    while time.time() < start + seconds:
        if placed - (shop.settled() - settled_before) > AHEAD:
            time.sleep(0.01)
        else:
            shop.place_many(specs(count=BULK, seed=STEADY_SEED + placed))
            placed += BULK
    return {"placed": placed, "seconds": time.time() - start}


class Placer:
    """Places until it works, and counts the times that SQLite said "database is locked"."""

    def __init__(self, shop: Any) -> None:
        self._error: type[Exception] = getattr(shop, "LOCK_ERROR", ZeroDivisionError)
        self.lock_errors = 0

    def attempt(self, verb: Any, *arguments: Any) -> Any:
        """Call a verb of the shop."""
        while True:
            try:
                return verb(*arguments)
            except self._error as error:
                if "locked" not in str(error):
                    raise
                self.lock_errors += 1


def say(answer: Any) -> None:
    """One line of JSON to the driver."""
    print(json.dumps(answer), flush=True)  # noqa: T201 - it is what the driver reads


if __name__ == "__main__":
    main()
