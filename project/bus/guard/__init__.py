"""The guard between the broker and Celery: only bells get through on the bus's queues."""
