"""Throttles count requests by address, and throttle nobody while the cache is down."""

from typing import Any

from tests.api.clients import assert_problem, client_of

LOGIN = "/api/v1/auth/token/"
WRONG = {"email": "ann@example.org", "password": "not this one"}


def log_in(**headers: Any) -> Any:
    return client_of().post(LOGIN, WRONG, **headers)


def test_too_many_logins_from_one_address_are_throttled_with_a_time_to_wait(db, low_rates):
    assert [log_in().status_code for _ in range(2)] == [401, 401]
    throttled = log_in()
    problem = assert_problem(throttled, 429)
    assert problem["type"] == "urn:orderly:problem:throttled"
    assert 0 < int(throttled["Retry-After"]) <= 60


def test_each_address_and_each_scope_has_its_own_count(db, low_rates):
    for _ in range(2):
        log_in()
    assert log_in(REMOTE_ADDR="192.0.2.7").status_code == 401
    assert client_of().post("/api/v1/users/", {}).status_code == 400


def test_without_a_proxy_the_forwarded_for_header_is_ignored(db, low_rates):
    for number in range(2):
        log_in(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99").status_code == 429


def test_behind_one_proxy_the_address_that_the_proxy_added_counts(db, low_rates, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for number in range(2):
        log_in(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}, 198.51.100.7")
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.7").status_code == 429
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.8").status_code == 401


def test_while_the_cache_is_down_nobody_is_throttled(db, low_rates, settings, caplog):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"socket_connect_timeout": 0.2},
        }
    }
    assert [log_in().status_code for _ in range(3)] == [401] * 3
    assert "the cache does not answer, so no request is throttled" in caplog.text
