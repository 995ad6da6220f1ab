"""The Celery app, with late acknowledgement as Celery's documentation recommends for tasks that must not be lost."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.peers.naive.settings")

if os.environ.get("PEER_OUTBOX") == "1":
    from django_celery_outbox import OutboxCelery as App
else:
    App = Celery

app = App("naive")
app.conf.update(
    broker_url=os.environ.get("BROKER_URL"),
    task_routes={
        "benchmarks.peers.naive.tasks.reserve_stock": {"queue": "inventory"},
        "benchmarks.peers.naive.tasks.confirm_order": {"queue": "orders"},
        "benchmarks.peers.naive.tasks.reject_order": {"queue": "orders"},
        "benchmarks.peers.naive.tasks.email_confirmation": {"queue": "external"},
    },
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    # Celery's default: 1, which is often advised with late acknowledgement, was a third slower.
    worker_prefetch_multiplier=4,
    worker_hijack_root_logger=False,
)
if os.environ.get("PEER_TUNED", "1") == "1":
    # Undocumented: without it Celery reopens the database connection after every few tasks.
    app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000_000
app.autodiscover_tasks(["benchmarks.peers.naive"])
