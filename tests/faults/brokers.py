"""The brokers of a cluster, and the faults that they can have."""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import redis
from amqp.exceptions import NotFound
from celery import Celery
from kombu import Connection, Exchange, Queue

from project.console.harness import redis_server
from project.console.harness.process import kill_group

QUEUES = ("users", "orders", "inventory", "external")


def queue_named(name: str) -> Queue:
    """A queue as the project declares it."""
    return Queue(name, Exchange(name, type="direct"), routing_key=name, queue_arguments={"x-queue-type": "quorum"})


class Broker(ABC):
    """A broker that can be stopped and emptied."""

    @property
    @abstractmethod
    def address(self) -> Path | tuple[str, int]:
        """Where it listens."""

    @abstractmethod
    def url(self, *, port: int) -> str:
        """The URL through a proxy on a port of the loopback address."""

    @abstractmethod
    def stop(self) -> None:
        """Stop at once, together with all connections."""

    @abstractmethod
    def start(self) -> None:
        """Start again after `stop`."""

    @property
    @abstractmethod
    def direct_url(self) -> str:
        """The URL without a proxy."""

    @abstractmethod
    def purge(self) -> int:
        """Delete every message, and everything else that a broker can lose; the number of messages."""

    @abstractmethod
    def queue_length(self, queue: str) -> int:
        """How many messages wait in a queue."""

    def ring_handlers(self, handlers: Iterable[tuple[str, str]]) -> None:
        """Send a bell to each of these handlers, given with its queue, whether or not they have deliveries."""
        app = Celery("bells", broker=self.direct_url, set_as_current=False)
        with app.connection_for_write() as connection:
            producer = app.amqp.Producer(connection, auto_declare=False)
            for handler, queue in handlers:
                # The stubs know only names of queues.
                app.send_task(handler, queue=queue_named(queue), producer=producer, retry=False)  # type: ignore[arg-type]
        app.close()

    @abstractmethod
    def close(self) -> None:
        """Stop for good and leave nothing."""


def lift_bounds(client: redis.Redis) -> None:
    """Let a Redis take messages of any size, as one does that nobody has configured."""
    client.config_set("proto-max-bulk-len", "512mb")
    client.config_set("maxmemory", "0")


class Redis(Broker):
    """A Redis server of its own; it is empty after each start."""

    def __init__(self, directory: Path, *, name: str = "broker") -> None:
        self._directory, self._name = directory, name
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(unix_socket_path=str(self.address))
        self.start()

    @property
    def address(self) -> Path:
        return self._directory / f"{self._name}.sock"

    def url(self, *, port: int) -> str:
        return f"redis://127.0.0.1:{port}/0"

    def start(self) -> None:
        self._process = redis_server.start(self.address, log=self._directory / f"{self._name}.log")
        lift_bounds(self.client)

    def stop(self) -> None:
        assert self._process is not None
        kill_group(self._process)

    @property
    def direct_url(self) -> str:
        return f"redis+socket://{self.address}"

    def purge(self) -> int:
        """FLUSHALL, which deletes Celery's own keys too."""
        with self.client.pipeline() as both:
            for queue in QUEUES:
                both.llen(queue)
            both.flushall()
            return sum(both.execute()[: len(QUEUES)])

    def queue_length(self, queue: str) -> int:
        return int(self.client.llen(queue))

    def close(self) -> None:
        self.client.close()
        self.stop()


class RabbitMQ(Broker):
    """The RabbitMQ that RABBITMQ_URL names, with a virtual host of its own.

    Others may use the server, so it is never stopped: the proxy closes and refuses its connections instead.
    """

    def __init__(self, directory: Path) -> None:
        given = urlsplit(os.environ["RABBITMQ_URL"])
        self._host, self._port = given.hostname or "127.0.0.1", given.port or 5672
        self._user, self._password = given.username or "guest", given.password or "guest"
        self._vhost = f"orderly-faults-{uuid4().hex[:12]}"
        self._control("add_vhost", self._vhost)
        self._control("set_permissions", "-p", self._vhost, self._user, ".*", ".*", ".*")

    @property
    def address(self) -> tuple[str, int]:
        return self._host, self._port

    def url(self, *, port: int) -> str:
        return self._url("127.0.0.1", port)

    @property
    def direct_url(self) -> str:
        return self._url(*self.address)

    def start(self) -> None:
        """Do nothing: the proxy accepts connections again."""

    def stop(self) -> None:
        """Do nothing: the proxy closes and refuses connections."""

    def purge(self) -> int:
        with Connection(self.direct_url) as connection:
            return sum(_ask_queue(connection, "queue_purge", queue) for queue in QUEUES)

    def queue_length(self, queue: str) -> int:
        """The count of the server, which may be late."""
        with Connection(self.direct_url) as connection:
            return _ask_queue(connection, "queue_declare", queue, passive=True)

    def close_connections(self) -> None:
        """Close every connection with AMQP's farewell, as a server does when it shuts down."""
        self._control("close_all_connections", "--vhost", self._vhost, "maintenance")

    def close(self) -> None:
        """Delete the virtual host with everything in it."""
        self._control("delete_vhost", self._vhost)

    def _url(self, host: str, port: int) -> str:
        return f"amqp://{quote(self._user)}:{quote(self._password)}@{host}:{port}/{self._vhost}"

    def _control(self, *arguments: str) -> None:
        done = subprocess.run(["rabbitmqctl", "--quiet", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}"


def _ask_queue(connection: Connection, question: str, queue: str, **options: bool) -> int:
    """A number of messages; 0 if the queue does not exist, which also closes the channel."""
    try:
        answer = getattr(connection.channel(), question)(queue, **options)
    except NotFound:
        return 0
    return answer if isinstance(answer, int) else answer.message_count
