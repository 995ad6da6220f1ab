"""How fast Orderly is, beside the usual Celery code and what the database itself can do: docs/performance.md."""
