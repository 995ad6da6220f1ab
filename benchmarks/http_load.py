"""python -m benchmarks.http_load PORT TOKEN: places orders over HTTP, with as little work in the client as possible.

It prepares the requests, keeps connections open, and reads only the status of an answer. It says when it is ready,
waits for a line on standard input, and prints its figures, as benchmarks/agent.py does.
"""

import argparse
import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.agent import say
from benchmarks.orders import MIXES, OrderSpec, generate_orders


def main() -> None:
    """Place the orders of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("token")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--warm-up", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mix", choices=MIXES, default="uniform")
    options = parser.parse_args()
    wanted = generate_orders(count=options.warm_up + options.orders, seed=options.seed, mix=options.mix)
    requests = [request(spec, token=options.token) for spec in wanted]
    send(requests[: options.warm_up], port=options.port, connections=options.connections)
    say("ready")
    sys.stdin.readline()
    cpu, start = time.process_time(), time.time()
    send(requests[options.warm_up :], port=options.port, connections=options.connections)
    seconds = time.time() - start
    say({"seconds": seconds, "cpu": time.process_time() - cpu, "lock_errors": 0, "begun": []})


def request(spec: OrderSpec, *, token: str) -> bytes:
    """The bytes of a request for an order."""
    body = json.dumps({"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in spec.lines]})
    head = (
        "POST /api/v1/orders/ HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", body)).encode()


def send(requests: list[bytes], *, port: int, connections: int) -> None:
    """Send requests over this many connections at once."""
    shares = [requests[start::connections] for start in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda share: send_in_turn(share, port=port), shares))


def send_in_turn(requests: list[bytes], *, port: int) -> None:
    """Send requests one after the other; the connection is opened again after the server has closed it.

    Raises:
        SystemExit: an answer is not 201.
    """
    connection: socket.socket | None = None
    for sent in requests:
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(sent)
        head, stays = answer(connection)
        if " 201 " not in head.partition("\r\n")[0]:
            sys.exit(f"answered: {head}")
        if not stays:
            connection.close()
            connection = None
    if connection is not None:
        connection.close()


def answer(connection: socket.socket) -> tuple[str, bool]:
    """Read an answer to its end; its head, and whether the connection stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            sys.exit("the server closed the connection before it answered")
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    missing = length - len(body)
    while missing > 0:
        missing -= len(connection.recv(missing))
    return lines[0].upper() + "\r\n" + "\r\n".join(lines[1:]), "connection: close" not in lines


if __name__ == "__main__":
    main()
