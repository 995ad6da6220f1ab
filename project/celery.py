"""The Celery app: one plain queue per service, and settings for bells.

A bell is an empty message that tells a handler's workers to look into the database (docs/adr/0002). Losing or repeating
one does no harm, so each setting below prefers speed and robustness to the safety of messages.
"""

import os

from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger, worker_init

from project.bus import configure
from project.bus.configuration import bus_queue
from project.checks import exit_if_unsafe
from project.logs import escape_handlers
from project.settings import BROKER_URL

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

SERVICES = ("users", "orders", "inventory")
EXTERNAL = "external"  # the queue of external handlers, so that a hanging mail server delays no reservation


app = Celery("orderly")
configure(app)
app.conf.update(
    broker_url=BROKER_URL,
    task_queues=[bus_queue(name, quorum=True) for name in (*SERVICES, EXTERNAL)],
    # Otherwise messages of Celery itself go to a queue "celery" that no worker consumes.
    task_default_queue=SERVICES[0],
    task_create_missing_queues=False,
    # JSON only: anyone who can write to the broker must not be able to run code here.
    accept_content=["json"],
    task_serializer="json",
    # Acknowledged on receipt: with late acknowledgement, a task that kills its process runs again without limit.
    task_acks_late=False,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    # One bell at a time: a worker that prefetches bells starves the others.
    worker_prefetch_multiplier=1,
    # No remote control through the broker, and no messages between workers.
    worker_consumer="project.bus.guard.celery_worker:BellConsumer",
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    task_send_sent_event=False,
    # A worker waits for its broker without limit; by default Celery gives up after 100 tries.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=4,
    # It also survives damage to a queue, such as a Redis key of another type.
    broker_channel_error_retry=True,
    # RabbitMQ: a silent connection is closed after twice these seconds, instead of some minutes.
    broker_heartbeat=10,
    # The relay rings again anyway, so publishing never retries.
    task_publish_retry=False,
    # On SIGTERM (remapped in project/__init__.py), running tasks have this many seconds to finish.
    worker_soft_shutdown_timeout=5,
    # Has no effect with early acknowledgement, but Celery warns if it is not set.
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_hijack_root_logger=False,
    timezone="UTC",
)
if BROKER_URL.startswith(("redis", "rediss")):
    app.conf.broker_transport_options = {
        # Bells need no acknowledgement; without it, Redis delivers twice as fast.
        "ack_emulation": False,
        "socket_timeout": 5,
        "socket_connect_timeout": 4,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
# Keeps the database connection between tasks; Celery closes it after each one. The setting is undocumented. Its risk is
# a connection that was lost or that a time limit broke: project/bus/worker/sessions.py closes those.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000_000


@after_setup_logger.connect
@after_setup_task_logger.connect
def escape_logs(**_: object) -> None:
    """Escape what a worker logs also where Celery, and not Django's LOGGING, made the handler."""
    escape_handlers("", "celery.task", "multiprocessing")


@worker_init.connect
def check_settings(**_: object) -> None:
    """Refuse to start a worker on RabbitMQ with unsafe settings.

    On the bundled Redis a worker may be started from any shell of this machine, with or without DEBUG.
    """
    if BROKER_URL.startswith("amqp"):
        exit_if_unsafe()
