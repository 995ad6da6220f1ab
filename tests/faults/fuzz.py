"""python -m tests.faults.fuzz: send a hundred thousand mutated bells to workers, which must keep working.

Meanwhile a client places orders over HTTP, and each must be settled once.
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
from tests.faults.brokers import RabbitMQ, Redis
from tests.faults.client_history import Client
from tests.faults.cluster import cluster
from tests.faults.verdict import judge
from tests.system import eventually

#: Messages between two checks that the workers keep up, and orders placed meanwhile.
MESSAGES_PER_ROUND, ORDERS_PER_ROUND = 1_000, 4
FRAGMENTS = [
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


def mutate(message: bytes, draw: random.Random) -> bytes:
    """Change a few places of a message: bits, bytes, numbers and whole pieces."""
    data = bytearray(message)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data)) if data else 0
        match draw.randrange(6):
            case 0 if data:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                data[at:at] = draw.choice(FRAGMENTS)
            case 2:
                del data[at : at + draw.randint(1, 40)]
            case 3:
                data[at : at + draw.randint(0, 20)] = draw.choice(FRAGMENTS)
            case 4:
                data[at:at] = data[at : at + draw.randint(1, 200)]
            case _:
                end = draw.randrange(len(data) + 1)
                del data[end:]
    return bytes(data)


def mutate_amqp(draw: random.Random) -> "amqp.Message":
    """A bell for RabbitMQ with another body, header or property."""
    message = hostile.amqp_message(hostile.bell())
    odd: list[object] = ["", "x" * 300, -1, 2**40, 1.5, True, None, [], [None, [1]], {"a": {"b": []}}, b"\xff\x00"]
    match draw.randrange(4):
        case 0:
            assert isinstance(message.body, bytes)
            message.body = mutate(message.body, draw)
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
    """Send the messages and print what happened; 1 if a worker's main process changed or an order was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, metavar="N", help="messages to send (100000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed that draws the mutations (1)")
    parser.add_argument("--broker", choices=("redis", "rabbitmq"), default="redis")
    options = parser.parse_args()
    console, draw = Console(highlight=False), random.Random(options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="orderly-fuzz-") as directory,
        cluster(Path(directory), broker=options.broker) as started,
        ExitStack() as stack,
    ):
        names = started.workers("inventory")
        before = {name: (started.main_process(name), started.main_process(name).children()) for name in names}
        send, waiting = _sender(started.broker, draw, stack)
        orders_client = Client(started.url, registered=started.confirm_addresses)
        orders_client.start()
        began = time.monotonic()
        for first in range(0, options.messages, MESSAGES_PER_ROUND):
            orders_client.renew_tokens()
            orders_client.grant(ORDERS_PER_ROUND)
            for _ in range(min(MESSAGES_PER_ROUND, options.messages - first)):
                send()
            eventually(lambda: waiting() < MESSAGES_PER_ROUND, within=120, what="the worker keeps up")
        eventually(lambda: waiting() == 0, within=120, what="the queue is empty")
        eventually(orders_client.is_idle, within=60, what="the orders are placed")
        eventually(lambda: not started.unsettled_deliveries(), within=60, what="the orders are settled")
        verdict = judge(started, orders_client.stop(), mails=False)
        time.sleep(2)  # refused messages are recorded once a second
        counted, samples = started.sql(
            "SELECT coalesce(sum(count), 0), count(*) FILTER (WHERE sample <> '') FROM bus_refusedmessage"
        )[0]
        kept = all(
            main.is_running() and started.main_process(name) == main and main.children() == children
            for name, (main, children) in before.items()
        )
        seconds = time.monotonic() - began
    console.print(f"{options.messages:,} messages in {seconds:.0f} s, seed {options.seed}, on {options.broker}")
    console.print(f"refused and counted: {counted:,}, samples kept: {samples}; the rest were still bells")
    console.print("main processes and pools: " + ("the same" if kept else "NOT THE SAME"))
    findings = [*verdict.lost, *verdict.duplicated, *verdict.unexpected]
    if verdict.acknowledged < verdict.attempted:
        findings.append(f"{verdict.attempted - verdict.acknowledged} orders were not accepted")
    console.print(
        f"orders placed meanwhile: {verdict.acknowledged}, each settled once" if not findings else f"WRONG: {findings}"
    )
    return 0 if kept and counted and samples and not findings else 1


def _sender(broker: object, draw: random.Random, stack: ExitStack) -> tuple[Callable[[], object], Callable[[], int]]:
    if isinstance(broker, Redis):
        client = broker.client
        return (
            lambda: client.lpush("inventory", mutate(hostile.encoded(hostile.bell()), draw)),
            lambda: int(client.llen("inventory")),
        )
    assert isinstance(broker, RabbitMQ)
    channel = stack.enter_context(hostile.open_channel(broker))
    return lambda: channel.basic_publish(mutate_amqp(draw), routing_key="inventory"), lambda: broker.queue_length(
        "inventory"
    )


if __name__ == "__main__":
    sys.exit(main())
