"""Problem documents (RFC 9457) for all errors of the API, from wherever in the stack."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import ExceptionHandlerContext
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from project.api.timeouts import as_busy
from project.errors import Conflict, FieldError, InvalidInput, LimitReached, TryLater

PREFIX = "/api/"
CONTENT_TYPE = "application/problem+json"
#: The field of an error about the whole body.
WHOLE_BODY = "body"

LOG_IN = "Send the header 'Authorization: Bearer TOKEN'; POST /api/v1/auth/token/ gives a token."
NOT_FOUND = "Nothing is here, or nothing that you may see. Check the address, its id and its final slash."
SERVER_ERROR = "The server failed, and the error is logged. Try again; if it persists, tell the operators when."
#: Remedies, added to the description of the error.
REMEDIES = {
    HTTPStatus.UNAUTHORIZED: LOG_IN,
    HTTPStatus.FORBIDDEN: "Log in with an account that has the permission.",
    HTTPStatus.NOT_ACCEPTABLE: "Accept application/json.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Send JSON, with the header 'Content-Type: application/json'.",
    HTTPStatus.TOO_MANY_REQUESTS: "The header Retry-After has the number of seconds.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The header Retry-After has the number of seconds.",
}


def problem(*, status: int, code: str, detail: str, instance: str, errors: Sequence[FieldError] = ()) -> dict[str, Any]:
    members: dict[str, Any] = {
        "type": f"urn:orderly:problem:{code.replace('_', '-')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
    }
    if errors:
        members["errors"] = [asdict(error) for error in errors]
    return members


def problem_response(request: HttpRequest, *, status: int, code: str, detail: str) -> HttpResponse:
    """Return a problem document from outside the REST framework."""
    document = problem(status=status, code=code, detail=detail, instance=request.path)
    return JsonResponse(document, status=status, content_type=CONTENT_TYPE)


class ConflictProblem(exceptions.APIException):
    """A Conflict, as an exception of the REST framework."""

    status_code = HTTPStatus.CONFLICT


class TryLaterProblem(exceptions.APIException):
    """A TryLater, as an exception of the REST framework, which makes the header Retry-After of `wait`."""

    def __init__(self, error: TryLater) -> None:
        super().__init__(str(error), code=error.code)
        self.status_code = later_status(error)
        self.wait = error.wait


def later_status(error: TryLater) -> HTTPStatus:
    return HTTPStatus.TOO_MANY_REQUESTS if isinstance(error, LimitReached) else HTTPStatus.SERVICE_UNAVAILABLE


class RefusedProblem(exceptions.APIException):
    """A request that Django refuses, as an exception of the REST framework."""

    status_code = HTTPStatus.BAD_REQUEST
    default_code = "bad_request"
    default_detail = "The request is malformed. Check its address, its headers and its body."


class TooLargeProblem(RefusedProblem):
    """A request that Django refuses because of its size."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"
    default_detail = "The body is too large. Split it into several requests."


class ProblemFormatter(ExceptionFormatter):
    """Turns an exception of the REST framework into a problem document."""

    def run(self) -> dict[str, Any]:
        request = self.context["request"]
        instance = request.path if request else ""
        if isinstance(self.exc, exceptions.ValidationError):
            errors = [
                FieldError(field=field_path(error.attr), code=error.code, detail=error.detail)
                for error in self.get_errors()
            ]
            detail = "The input is not valid, and nothing was changed. See errors for each field and its remedy."
            return problem(
                status=self.exc.status_code, code="invalid_input", detail=detail, instance=instance, errors=errors
            )
        code, detail = self.code_and_detail()
        unreadable = isinstance(self.exc, exceptions.ParseError)
        errors = [FieldError(field=WHOLE_BODY, code=code, detail=detail)] if unreadable else []
        return problem(status=self.exc.status_code, code=code, detail=detail, instance=instance, errors=errors)

    def code_and_detail(self) -> tuple[str, str]:
        """Return the code, for programs, and the description with its remedy, for people."""
        exc = self.exc
        if exc.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(exc, TryLaterProblem):
            return "server_error", SERVER_ERROR
        if isinstance(exc, exceptions.NotFound):
            return "not_found", NOT_FOUND
        if isinstance(exc, exceptions.MethodNotAllowed):
            allowed = [method for method in self.context["view"].allowed_methods if method != "OPTIONS"]
            return "method_not_allowed", f"{exc.detail} Use one of: {', '.join(allowed)}."
        # Errors of simplejwt carry {"detail": ..., "code": ..., "messages": ...}.
        detail: Any = exc.detail["detail"] if isinstance(exc.detail, dict) else exc.detail
        code = exc.detail["code"] if isinstance(exc.detail, dict) else detail.code
        remedy = REMEDIES.get(HTTPStatus(exc.status_code), "")
        return str(code), f"{str(detail).rstrip('.')}. {remedy}".strip()


def field_path(attr: str | None) -> str:
    """Convert a path such as lines.2.sku to lines[2].sku."""
    names = [name for name in (attr or "").split(".") if name not in ("", "non_field_errors")]
    return "".join(f"[{name}]" if name.isdigit() else f".{name}" for name in names).lstrip(".") or WHOLE_BODY


class ProblemHandler(ExceptionHandler):
    """Turns every exception of a view into a problem document, even with DEBUG on: programs read it."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Convert the errors of operations to those of the REST framework."""
        if isinstance(exc, InvalidInput):
            fields: dict[str, list[exceptions.ErrorDetail]] = {}
            for error in exc.errors:
                fields.setdefault(error.field, []).append(exceptions.ErrorDetail(error.detail, error.code))
            return exceptions.ValidationError(fields)
        if isinstance(exc, Conflict):
            return ConflictProblem(str(exc), code=exc.code)
        if later := exc if isinstance(exc, TryLater) else as_busy(exc):
            return TryLaterProblem(later)
        if isinstance(exc, RequestDataTooBig):
            return TooLargeProblem()
        # The last one: the client closed the connection in mid-body.
        if isinstance(exc, SuspiciousOperation | BadRequest | MultiPartParserError | UnreadablePostError):
            return RefusedProblem()
        return super().convert_known_exceptions(exc)

    def should_not_handle(self, exc: Exception) -> bool:
        """Leave nothing to Django's HTML pages."""
        return False

    def format_exception(self, exc: exceptions.APIException) -> dict[str, Any]:
        return ProblemFormatter(exc, self.context, self.exc).run()

    def report_exception(self, exc: exceptions.APIException, response: Response) -> None:
        """Log the traceback of a failure, but not where this process is only busy."""
        if not isinstance(exc, TryLaterProblem):
            super().report_exception(exc, response)

    def get_response(self, exc: exceptions.APIException, data: dict[str, Any]) -> Response:
        # JSON even where the view itself renders HTML.
        if request := self.context["request"]:
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return Response(data, status=exc.status_code, headers=self.get_headers(exc), content_type=CONTENT_TYPE)


def exception_handler(exc: Exception, context: ExceptionHandlerContext) -> Response | None:
    return ProblemHandler(exc, context).run()


@csrf_exempt
def unknown_route(request: HttpRequest) -> HttpResponse:
    """Answer 404 to any other address under the API's prefix, instead of redirecting to a similar one."""
    return problem_response(request, status=HTTPStatus.NOT_FOUND, code="not_found", detail=NOT_FOUND)


def problem_documents(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware, the outermost: turn Django's own refusals under the API's prefix into problem documents.

    So a Host header that is not in ALLOWED_HOSTS gets no HTML, and even with DEBUG on no answer has a traceback.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if (
            response.status_code < HTTPStatus.BAD_REQUEST
            or response.get("Content-Type") == CONTENT_TYPE
            or not request.path_info.startswith(PREFIX)
        ):
            return response
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            document = problem_response(
                request, status=HTTPStatus.INTERNAL_SERVER_ERROR, code="server_error", detail=SERVER_ERROR
            )
        else:
            status = HTTPStatus(response.status_code)
            remedy = REMEDIES.get(status, "Check its address and its headers.")
            document = problem_response(
                request,
                status=status,
                code=status.name.lower(),
                detail=f"The request was refused: {status.phrase}. {remedy}",
            )
        for name, value in response.headers.items():  # such as Strict-Transport-Security
            if name != "Content-Length":
                document.headers.setdefault(name, value)
        return document

    return middleware
