"""How fast Orderly is, beside the usual Celery code and the limit of the database: docs/performance.md."""
