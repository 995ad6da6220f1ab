"""Logs refused requests, which are errors of the client and not of the server."""

import logging
from http import HTTPStatus

logger = logging.getLogger(__name__)

#: Of a message, which may quote the request.
MAX_LENGTH = 200


class RefusalFilter(logging.Filter):
    """Drops the traceback of a request that is refused, or is to be sent again later: Django logs some forty lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", HTTPStatus.INTERNAL_SERVER_ERROR)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.SERVICE_UNAVAILABLE:
            record.exc_info = record.exc_text = None
        return True


class RefusalHandler(logging.Handler):
    """Logs what Django logs under `django.security` as one line, a warning, without a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.name.rpartition(".")[2]
        logger.warning("refused a request (%s): %.*s", kind, MAX_LENGTH, ascii(record.getMessage()))
