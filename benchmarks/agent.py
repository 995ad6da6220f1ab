"""python -m benchmarks.agent SHOP ACTION: what has to run inside a system, with its own settings.

`set_up` fills an empty database and prints what the benchmark needs to know, as JSON. `token` prints a bearer token,
`costs` the duration of polls and claims, `steps` the time of each step of an order.
`place` prepares, says so, waits for a line on standard input, places its orders, and prints its figures.
"""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.orders import MIXES, ORDERS_PER_TRANSACTION, OrderSpec, generate_orders, in_batches

#: How far a steady placer may be ahead of the workers; the figure that it compares with is a second old.
MAX_ORDERS_AHEAD = 10_000
STEADY_SEED = 1_000_000


def main() -> None:
    """Run the action of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", help="the module of the system")
    parser.add_argument("action", choices=("set_up", "token", "costs", "steps", "place"))
    parser.add_argument("--history", type=int, default=0, help="settled orders to add")
    parser.add_argument("--how", choices=("one", "bulk", "rate", "steady"), default="one")
    parser.add_argument("--seconds", type=float, default=60.0, help="duration, for --how steady")
    parser.add_argument("--rate", type=float, default=20.0, help="orders a second, for --how rate")
    parser.add_argument("--orders", type=int, default=0)
    parser.add_argument("--warm-up", type=int, default=0, help="orders to place before it is ready")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mix", choices=MIXES, default="uniform")
    options = parser.parse_args()
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        import django  # noqa: PLC0415 - the limit runs without Django

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
        wanted = generate_orders(count=options.warm_up + options.orders, seed=options.seed, mix=options.mix)
        place(shop, wanted[: options.warm_up], how="bulk" if options.how in ("bulk", "steady") else "one")
        say("ready")
        sys.stdin.readline()
        if options.how == "steady":
            say(place_steadily(shop, seconds=options.seconds))
            return
        say(place(shop, wanted[options.warm_up :], how=options.how, rate=options.rate))


def place(shop: Any, wanted: Sequence[OrderSpec], *, how: str, rate: float = 20.0) -> dict[str, Any]:
    """Place orders; how long that took, and when each was due if they come at a rate."""
    placer = Placer(shop)
    cpu, start = time.process_time(), time.time()
    begun: list[tuple[str, float]] = []
    if how == "bulk":
        for chunk in in_batches(wanted):
            placer.attempt(shop.place_many, chunk)
    elif how == "one":
        for spec in wanted:
            placer.attempt(shop.place_one, spec)
    else:
        for number, spec in enumerate(wanted):
            # When the order was due, even if the one before it was late.
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
    """Place in bulk for this long, at most a few seconds' work ahead of the workers."""
    start, placed, settled_before = time.time(), 0, shop.settled()
    while time.time() < start + seconds:
        if placed - (shop.settled() - settled_before) > MAX_ORDERS_AHEAD:
            time.sleep(0.01)
        else:
            shop.place_many(generate_orders(count=ORDERS_PER_TRANSACTION, seed=STEADY_SEED + placed))
            placed += ORDERS_PER_TRANSACTION
    return {"placed": placed, "seconds": time.time() - start}


class Placer:
    """Retries until an order is placed, and counts how often SQLite said "database is locked"."""

    def __init__(self, shop: Any) -> None:
        self._error: type[Exception] = getattr(shop, "LOCK_ERROR", ZeroDivisionError)
        self.lock_errors = 0

    def attempt(self, verb: Any, *arguments: Any) -> Any:
        """Call a function of the shop."""
        while True:
            try:
                return verb(*arguments)
            except self._error as error:
                if "locked" not in str(error):
                    raise
                self.lock_errors += 1


def say(answer: Any) -> None:
    """Print one line of JSON for the benchmark."""
    print(json.dumps(answer), flush=True)  # noqa: T201 - the benchmark reads it


if __name__ == "__main__":
    main()
