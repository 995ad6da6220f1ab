"""python -m tests.faults.fuzz: mutate bells by the hundred thousand and send them to workers that go on working.

Meanwhile orders are placed over HTTP, and each must be settled once.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import amqp
from rich.console import Console

from tests.faults import hostile
from tests.faults.brokers import Rabbit, Redis
from tests.faults.cluster import cluster
from tests.faults.journal import Client
from tests.faults.verdict import judge
from tests.system import eventually

#: Messages that are sent before it is looked whether the workers keep up, and orders that are placed meanwhile.
CHUNK, NEIGHBOURS = 1_000, 4
INTERESTING = [
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"-1",
    b"1e999",
    b"true",
    b"\\u0000",
    b"\xff",
    b"9" * 40,
    b'"eta"',
    b"{" * 50,
]


def mutated(message: bytes, draw: random.Random) -> bytes:
    """A message of which a few places are other: bits, bytes, numbers, and whole pieces."""
    data = bytearray(message)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data)) if data else 0
        match draw.randrange(6):
            case 0 if data:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                data[at:at] = draw.choice(INTERESTING)
            case 2:
                del data[at : at + draw.randint(1, 40)]
            case 3:
                data[at : at + draw.randint(0, 20)] = draw.choice(INTERESTING)
            case 4:
                data[at:at] = data[at : at + draw.randint(1, 200)]
            case _:
                end = draw.randrange(len(data) + 1)
                del data[end:]
    return bytes(data)


def mutated_amqp(draw: random.Random) -> "amqp.Message":
    """A bell for RabbitMQ of which the body, a header or a property is another."""
    message = hostile.amqp_message(hostile.bell())
    odd: list[object] = ["", "x" * 300, -1, 2**40, 1.5, True, None, [], [None, [1]], {"a": {"b": []}}, b"\xff\x00"]
    match draw.randrange(4):
        case 0:
            message.body = mutated(message.body, draw)
        case 1:
            headers = message.properties["application_headers"]
            headers[draw.choice(sorted(headers))] = draw.choice(odd)
        case 2:
            headers = message.properties["application_headers"]
            del headers[draw.choice(sorted(headers))]
        case _:
            name = draw.choice(["content_type", "content_encoding", "reply_to", "correlation_id", "message_id", "type"])
            message.properties[name] = draw.choice(["", "x" * 200, "application/x-python-serialize", "utf-8"])
    return message


def main() -> int:
    """Send, and tell whether the worker's main process is the same; 1 when it is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, metavar="N", help="messages to send (100000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="draws the mutations (1)")
    parser.add_argument("--broker", choices=("redis", "rabbitmq"), default="redis")
    options = parser.parse_args()
    console, draw = Console(highlight=False), random.Random(options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="orderly-fuzz-") as directory,
        cluster(Path(directory), broker=options.broker) as started,
        ExitStack() as stack,
    ):
        names = started.workers("inventory")
        before = {name: (started.main(name), started.main(name).children()) for name in names}
        send, waiting = _sender(started.broker, draw, stack)
        neighbours = Client(started.url)
        neighbours.start()
        began = time.monotonic()
        for first in range(0, options.messages, CHUNK):
            neighbours.stay_logged_in()
            neighbours.grant(NEIGHBOURS)
            for _ in range(min(CHUNK, options.messages - first)):
                send()
            eventually(lambda: waiting() < CHUNK, within=120, what="the worker keeps up")
        eventually(lambda: waiting() == 0, within=120, what="all of them are taken")
        eventually(neighbours.quiet, within=60, what="the orders are placed")
        eventually(lambda: not started.unsettled(), within=60, what="the orders are settled")
        verdict = judge(started, neighbours.stop(), mails=False)
        time.sleep(2)  # what is refused is written down once a second
        counted, samples = started.sql(
            "SELECT coalesce(sum(count), 0), count(*) FILTER (WHERE sample <> '') FROM bus_refusedmessage"
        )[0]
        kept = all(
            main.is_running() and started.main(name) == main and main.children() == children
            for name, (main, children) in before.items()
        )
        seconds = time.monotonic() - began
    console.print(f"{options.messages:,} messages in {seconds:.0f} s, seed {options.seed}, on {options.broker}")
    console.print(f"refused and counted: {counted:,}, samples kept: {samples}; the rest were bells")
    console.print("main processes and pools: " + ("the same" if kept else "NOT THE SAME"))
    amiss = [*verdict.lost, *verdict.duplicated, *verdict.unexpected]
    if verdict.acknowledged < verdict.attempted:
        amiss.append(f"{verdict.attempted - verdict.acknowledged} orders were not taken")
    console.print(
        f"orders placed meanwhile: {verdict.acknowledged}, all settled once" if not amiss else f"AMISS: {amiss}"
    )
    return 0 if kept and counted and samples and not amiss else 1


def _sender(broker: object, draw: random.Random, stack: ExitStack) -> tuple[Callable[[], object], Callable[[], int]]:
    if isinstance(broker, Redis):
        client = broker.client
        return (
            lambda: client.lpush("inventory", mutated(hostile.encoded(hostile.bell()), draw)),
            lambda: int(client.llen("inventory")),
        )
    assert isinstance(broker, Rabbit)
    channel = stack.enter_context(hostile.channel_of(broker))
    return lambda: channel.basic_publish(mutated_amqp(draw), routing_key="inventory"), lambda: broker.waiting(
        "inventory"
    )


if __name__ == "__main__":
    sys.exit(main())
