"""Logs refused requests, which are errors of the client and not of the server."""

import logging

logger = logging.getLogger(__name__)

#: Of a message, which may quote the request.
MAX_LENGTH = 200


class RefusalHandler(logging.Handler):
    """Logs what Django logs under `django.security` as one line, a warning, without a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.name.rpartition(".")[2]
        logger.warning("refused a request (%s): %.*s", kind, MAX_LENGTH, ascii(record.getMessage()))
