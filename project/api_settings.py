"""The settings of the REST API. project/settings.py imports them."""

from project.security_settings import NUM_PROXIES

# The largest body in bytes, for the API and for forms.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

# Requests of one address in a minute, by the scope of a view; see project/api/throttles.py.
THROTTLE_RATES = {"login": 60, "register": 60, "refresh": 120}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["project.api.authentication.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["project.api.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "project.api.pagination.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["project.api.filters.FilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "project.api.schema.Schema",
    # Per account. A view with a throttle of its own has that instead.
    "DEFAULT_THROTTLE_CLASSES": ["project.api.account_throttle.AccountThrottle"],
    "NUM_PROXIES": NUM_PROXIES,
    # OPTIONS tells nothing: it is answered 405. The OpenAPI description has it all.
    "DEFAULT_METADATA_CLASS": None,
    # There is one format, so no parameter selects it.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "project.api.problems.exception_handler",
    # The errors of a list contain only the wrong items; the older form has empty entries for the others.
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Orderly",
    "DESCRIPTION": "Orders and stock. Errors are problem documents (RFC 9457), lists are cursor pages, newest first.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Swagger UI from the files of drf-spectacular-sidecar, and no badge of an external validator.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "project.api.schema_bounds.close_objects",
    ],
    "ENUM_NAME_OVERRIDES": {"OrderStatus": "orders.models.Status"},
}
