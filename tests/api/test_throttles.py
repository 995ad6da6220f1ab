"""Who tries too often is told to wait, and a cache that is down keeps nobody out."""

from tests.api.clients import assert_problem, client_of

LOGIN = "/api/v1/auth/token/"
WRONG = {"email": "ann@example.org", "password": "not this one"}


def log_in(**headers: str):
    return client_of().post(LOGIN, WRONG, **headers)


def test_after_so_many_log_ins_from_one_address_it_is_told_how_long_to_wait(db, few):
    assert [log_in().status_code for _ in range(2)] == [401, 401]
    refused = log_in()
    problem = assert_problem(refused, 429)
    assert problem["type"] == "urn:orderly:problem:throttled"
    assert 0 < int(refused["Retry-After"]) <= 60


def test_another_address_and_another_purpose_are_counted_apart(db, few):
    for _ in range(2):
        log_in()
    assert log_in(REMOTE_ADDR="192.0.2.7").status_code == 401
    assert client_of().post("/api/v1/users/", {}).status_code == 400


def test_an_address_cannot_pass_for_another_by_a_header_that_no_proxy_wrote(db, few):
    for number in range(2):
        log_in(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99").status_code == 429


def test_behind_one_proxy_the_address_that_it_added_is_counted(db, few, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for number in range(2):
        log_in(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}, 198.51.100.7")
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.7").status_code == 429
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.8").status_code == 401


def test_while_the_cache_is_down_everyone_may_pass(db, few, settings, caplog):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"socket_connect_timeout": 0.2},
        }
    }
    assert [log_in().status_code for _ in range(3)] == [401] * 3
    assert "the cache does not answer, so nobody is throttled" in caplog.text
