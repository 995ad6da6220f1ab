"""The Celery app: one plain queue per service, and settings that suit bells.

A bell is an empty message that tells a handler's workers to look into the database (docs/adr/0002). It may be lost or
repeated without harm, so every setting below that trades a message's safety for speed or robustness is taken.
"""

import os

from celery import Celery
from celery.signals import worker_init
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from project.settings import BROKER_URL, refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

SERVICES = ("users", "orders", "inventory")
EXTERNAL = "external"  # whatever reaches outside has a queue of its own: a hanging mail server stalls no reservation


def queue(name: str) -> Queue:
    """A direct queue: on Redis, topic exchanges lose what cannot be routed and repeat what is restored."""
    # Quorum queues are RabbitMQ's replicated kind; Redis ignores the argument.
    return Queue(name, Exchange(name, type="direct"), routing_key=name, queue_arguments={"x-queue-type": "quorum"})


# A message that is no bell must not get as far as Celery, whose workers fall over it (project/bus/guard.py).
TRANSPORT_ALIASES |= {
    "redis": "project.bus.transports:RedisTransport",
    "rediss": "project.bus.transports:RedisTransport",
    "amqp": "project.bus.transports:AmqpTransport",
    "amqps": "project.bus.transports:AmqpSSLTransport",
}

app = Celery("orderly")
app.conf.update(
    broker_url=BROKER_URL,
    task_queues=[queue(name) for name in (*SERVICES, EXTERNAL)],
    # What Celery sends by itself would go to a queue "celery" that nobody consumes.
    task_default_queue=SERVICES[0],
    task_create_missing_queues=False,
    # JSON only: whoever can write to the broker must not be able to run code here.
    accept_content=["json"],
    task_serializer="json",
    # Acknowledged on receipt: with late acknowledgement a task that kills its child is run again without limit.
    task_acks_late=False,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    # One bell each: a worker that hoards bells starves its neighbours.
    worker_prefetch_multiplier=1,
    # Nobody may steer a worker through the broker, and no worker talks to the others.
    worker_consumer="project.bus.bells:BellConsumer",
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    task_send_sent_event=False,
    # A worker outlives its broker, however long that is away; Celery gives up after 100 tries.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=4,
    # Nor does it end for what somebody did to one of its queues, such as a key of Redis that is no list.
    broker_channel_error_retry=True,
    # RabbitMQ: a connection of which the other end has gone silent is given up after twice these seconds; by default
    # after some minutes.
    broker_heartbeat=10,
    # The relay rings again by itself, so publishing never retries.
    task_publish_retry=False,
    # SIGTERM (remapped in project/__init__.py) lets what runs finish for this many seconds.
    worker_soft_shutdown_timeout=5,
    # Of no effect with early acknowledgement; said because Celery warns while it is not.
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_hijack_root_logger=False,
    timezone="UTC",
)
if BROKER_URL.startswith(("redis", "rediss")):
    app.conf.broker_transport_options = {
        # Bells need no acknowledgement; without its bookkeeping Redis delivers twice as fast.
        "ack_emulation": False,
        "socket_timeout": 5,
        "socket_connect_timeout": 4,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
# Keep the database connection between tasks (Celery closes it around each one). Undocumented; project/bus/sessions.py
# owns the risk, which is a connection that a time limit left broken or that was lost: it closes those.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000_000


@worker_init.connect
def refuse_unsafe_broker(**_: object) -> None:
    """A worker does not start on a RabbitMQ whose password everybody knows."""
    if BROKER_URL.startswith("amqp"):
        try:
            refuse_unsafe_production()
        except ImproperlyConfigured as refusal:
            raise SystemExit(str(refusal)) from refusal  # Celery would log any other exception and go on
