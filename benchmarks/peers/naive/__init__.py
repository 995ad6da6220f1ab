"""The usual pipeline: post_save, on_commit, one Celery message per step, a lock per product.

The environment has two switches. PEER_TUNED keeps database connections open between tasks. PEER_OUTBOX writes messages
to django-celery-outbox in the transaction that causes them, instead of sending them after it.
"""

from benchmarks.peers.naive.celery import app as celery_app

__all__ = ["celery_app"]
