"""Mutants of the quotas, of refused requests, and of the API's description."""

from tests.mutant import Mutant

QUOTAS, HOSTILE = "tests/orders/test_quotas.py", "tests/api/test_hostile_requests.py"
THROTTLE = "tests/api/test_account_throttle.py"

BUDGET_MUTANTS: list[Mutant] = [
    Mutant(
        name="the quota of open orders",
        file="orders/operations/quotas.py",
        old="if orders >= settings.MAX_OPEN_ORDERS:",
        new="if False:",
        tests=f"{QUOTAS}::test_one_open_order_too_many_is_a_429_that_says_what_counts_and_what_helps",
    ),
    Mutant(
        name="the quota of held units",
        file="orders/operations/quotas.py",
        old="if held + units_of(lines) > settings.MAX_HELD_UNITS:",
        new="if False:",
        tests=f"{QUOTAS}::test_units_of_open_orders_add_up",
    ),
    Mutant(
        name="the quota of one order's units",
        file="orders/operations/placing.py",
        old="if not is_welcome and (wrong := list(size_errors(lines))):",
        new="if wrong := []:",
        tests=f"{QUOTAS}::test_an_order_that_alone_has_too_many_units_is_a_400_because_it_can_never_be_placed",
    ),
    Mutant(
        name="the lock of a customer's quotas",
        file="orders/operations/quotas.py",
        old='lock_until_commit(f"open orders of {customer_id}")',
        new="",
        tests=f"{QUOTAS}::test_fifty_orders_at_once_do_not_exceed_the_quotas",
        postgresql=True,
    ),
    Mutant(
        name="the quota of unsafe calls",
        file="project/api/account_throttle.py",
        old="window=WINDOW_S) > limit:",
        new="window=WINDOW_S) < 0:",
        tests=f"{THROTTLE}::test_one_call_too_many_is_a_429_that_says_what_is_counted_and_how_long_to_wait",
    ),
    Mutant(
        name="the quota of unsafe calls on all views",
        file="project/api_settings.py",
        old='["project.api.account_throttle.AccountThrottle"]',
        new="[]",
        tests=f"{THROTTLE}::test_the_calls_to_all_views_are_counted_together",
    ),
    Mutant(
        name="the limit of parameters, answered 400",
        file="project/api/request_limits.py",
        old="except TooManyFieldsSent:",
        new="except ZeroDivisionError:",
        tests=f"{HOSTILE}::test_the_refusals_say_what_to_change",
    ),
    Mutant(
        name="the limit of a URL",
        file="project/api/request_limits.py",
        old="if in_api and len(request.get_full_path()) > MAX_URL_LENGTH:",
        new="if False:",
        tests=f"{HOSTILE}::test_a_url_of_more_than_4096_bytes_is_a_414_that_says_so",
    ),
    Mutant(
        name="the 400 for what Django refuses within a view",
        file="project/api/problems.py",
        old="if isinstance(exc, SuspiciousOperation | BadRequest | MultiPartParserError | UnreadablePostError):",
        new="if False:",
        tests=f"{HOSTILE}::test_what_django_refuses_within_a_view_is_no_server_error",
    ),
    Mutant(
        name="the web server's own headers",
        file="project/console/harness/programs.py",
        old='*("--forwarder-headers", ""),',
        new="",
        tests=f"{HOSTILE}::test_the_real_web_server_refuses_what_no_library_sends",
    ),
    Mutant(
        name="no metadata for OPTIONS",
        file="project/api_settings.py",
        old='"DEFAULT_METADATA_CLASS": None,',
        new="",
        tests=f"{HOSTILE}::test_options_tells_nothing_and_is_not_listed",
    ),
    Mutant(
        name="the refused requests as warnings",
        file="project/settings.py",
        old='"django.security": {"handlers": ["refusals"], "propagate": False},',
        new="",
        tests=f"{HOSTILE}::test_the_real_web_server_refuses_what_no_library_sends",
    ),
    Mutant(
        name="closed objects in the description",
        file="project/api/schema_bounds.py",
        old='schema.setdefault("additionalProperties", False)',
        new="pass",
        tests="tests/api/test_schema.py::test_every_value_has_bounds",
    ),
    Mutant(
        name="the strict amounts",
        file="project/api/serializers.py",
        old='if not isinstance(data, str) or not re.fullmatch(MONEY, data) or data.endswith("\\n"):',
        new="if False:",
        tests="tests/inventory/test_api.py::test_an_amount_is_a_plain_decimal_in_a_string",
    ),
]
