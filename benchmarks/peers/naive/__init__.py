"""The pipeline as people write it today: post_save, on_commit, one Celery message per step, a lock per product.

Two things of it are chosen by the environment. PEER_TUNED: database connections outlive a task. PEER_OUTBOX: messages
are written to django-celery-outbox in the transaction that causes them, instead of being sent after it.
"""

from benchmarks.peers.naive.celery import app as celery_app

__all__ = ["celery_app"]
