"""Throttles count requests by address, and throttle nobody while the cache is down."""

import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured

from project import cache_settings
from project.api import counters
from project.api.addresses import network_of
from project.celery import app
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


@pytest.mark.parametrize("path", ["/api/v1/auth/token/", "/api/v1/auth/token/refresh/", "/api/v1/users/"])
def test_each_public_call_that_takes_a_secret_is_throttled(db, low_rates, path):
    assert {client_of().post(path, {}).status_code for _ in range(2)} == {400}
    assert_problem(client_of().post(path, {}), 429)


def test_each_address_and_each_scope_has_its_own_count(db, low_rates):
    for _ in range(2):
        log_in()
    assert log_in(REMOTE_ADDR="192.0.2.7").status_code == 401
    assert client_of().post("/api/v1/users/", {}).status_code == 400


def test_a_count_begins_again_in_each_minute(db, low_rates, monkeypatch):
    for _ in range(2):
        log_in()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert log_in().status_code == 401


def test_without_a_proxy_the_forwarded_for_header_is_ignored(db, low_rates):
    for number in range(2):
        log_in(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99").status_code == 429


def test_behind_one_proxy_the_address_that_the_proxy_added_counts(db, low_rates, settings):
    settings.NUM_PROXIES = 1
    for number in range(2):
        log_in(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}, 198.51.100.7")
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.7").status_code == 429
    assert log_in(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.8").status_code == 401


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("2001:db8:0:0:1::", "[2001:db8::2]:4711"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:80", "192.0.2.7:4711"),
        ("192.0.2.7:1", ' "192.0.2.7:2" '),
        ("fe80::1%eth0", "fe80::2%eth1"),
        # What is no address counts as the proxy's.
        ("unknown", "_hidden"),
        ("", "192.0.2.300"),
        ("1" * 5000, "[::1"[::-1]),
    ],
    ids=map(str, range(9)),
)
def test_two_spellings_of_one_client_share_a_count(db, low_rates, settings, first, second):
    settings.NUM_PROXIES = 1
    for _ in range(2):
        log_in(HTTP_X_FORWARDED_FOR=first)
    assert log_in(HTTP_X_FORWARDED_FOR=second).status_code == 429
    assert log_in(HTTP_X_FORWARDED_FOR="2001:db8:0:1::1").status_code == 401


def test_a_connection_without_an_address_is_counted_too(db, low_rates):
    assert [log_in(REMOTE_ADDR="").status_code for _ in range(3)] == [401, 401, 429]
    assert network_of("") is None


def test_while_the_cache_is_down_nobody_is_throttled_and_the_log_says_so_once(db, low_rates, settings, caplog):
    settings.CACHES = cache_at("redis://127.0.0.1:1/0")
    assert [log_in().status_code for _ in range(3)] == [401] * 3
    assert caplog.text.count("the cache cannot be used, so no request is throttled") == 1


def cache_at(url: str) -> dict[str, Any]:
    return {"default": cache_settings.LOCAL, "throttles": cache_settings.throttle_cache(url)}


@pytest.fixture
def shared(system: Any, settings: Any) -> redis.Redis:
    """A real Redis that counts the requests of this process."""
    client: redis.Redis = system.redis()
    settings.CACHES = cache_at(f"redis+socket://{system.socket}")
    return client


def test_parallel_requests_are_counted_one_by_one(shared):
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: counters.count(subject="one", window=86_400), range(40)))
    assert sorted(counts) == list(range(1, 41))


def test_a_key_of_the_cache_tells_no_address_and_expires(shared, low_rates):
    log_in(REMOTE_ADDR="192.0.2.7")
    (key,) = shared.keys()
    assert key.startswith(b"throttles:")
    assert b"192.0.2.7" not in key
    assert 0 < shared.ttl(key) <= 120


GARBAGE: dict[str, Any] = {
    "a-pickle": pickle.dumps({"a": 1}),
    "text": b"not a number",
    "nothing": b"",
    "JSON": b'{"a": 1}',
    "a-fraction": b"1.5",
    "the-largest-number": b"9223372036854775807",
    "a-number-that-is-too-large": b"1" * 5000,
    "a-negative-number": b"-5",
}


@pytest.mark.parametrize("value", GARBAGE.values(), ids=GARBAGE)
def test_a_key_with_something_else_than_a_count_throttles_nobody(shared, low_rates, value):
    log_in()
    (key,) = shared.keys()
    shared.set(key, value)
    assert [log_in().status_code for _ in range(2)] == [401, 401]


@pytest.mark.parametrize("command", [("LPUSH", "x"), ("HSET", "a", "x"), ("SADD", "x"), ("XADD", "*", "a", "x")])
def test_a_key_of_another_type_throttles_nobody(shared, low_rates, command):
    log_in()
    (key,) = shared.keys()
    shared.delete(key)
    shared.execute_command(command[0], key, *command[1:])
    assert [log_in().status_code for _ in range(2)] == [401, 401]


def test_a_key_with_a_high_count_that_never_expires_locks_an_address_out_for_a_minute(shared, low_rates, monkeypatch):
    log_in()
    (key,) = shared.keys()
    shared.set(key, 1_000_000)
    assert log_in().status_code == 429
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert log_in().status_code == 401


@pytest.mark.parametrize(
    "url",
    [
        *("memcache://SECRET", "pymemcache://SECRET", "filecache:///SECRET", "dbcache://SECRET", "dummycache://SECRET"),
        *("rediscache://SECRET/0", "redis", "SECRET", "", "unix+redis:///SECRET", "http://SECRET", "redis://[SECRET/0"),
        *("redis://h/0?serializer=pickle.SECRET", "redis://h/0?SECRET", "redis://h/0?retry=SECRET"),
        *("redis://h:SECRET/0", "redis://h/0?socket_timeout=SECRET", "rediss://h/0?ssl_cert_reqs=SECRET"),
        *("redis://h/0?db=SECRET", "redis://h/0?decode_responses=SECRET", "locmem://SECRET"),
    ],
)
def test_another_cache_is_refused_without_its_value(url):
    with pytest.raises(ImproperlyConfigured, match="CACHE_URL") as refusal:
        cache_settings.throttle_cache(url)
    assert "redis://HOST:PORT/DB" in str(refusal.value)
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://user:p%2Cw;d@cache.example.org:6379/1", "redis://user:p%2Cw;d@cache.example.org:6379/1"),
        ("rediss://:pw@cache.example.org/1?ssl_cert_reqs=required&ssl_ca_certs=/ca.crt", None),
        ("redis+socket:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("redis://[2001:db8::1]:6379/0?socket_timeout=1", None),
    ],
)
def test_a_redis_is_accepted_by_address_and_by_socket(url, place):
    config = cache_settings.throttle_cache(url)
    assert config["LOCATION"] == [place or url]
    assert config["OPTIONS"]["serializer"] == "project.api.counters.JSONSerializer"


def test_only_counts_are_cached_outside_the_process(settings):
    settings.CACHES = cache_at("redis://cache.example.org/0")
    assert isinstance(caches["default"], LocMemCache)
    assert sorted(settings.CACHES) == ["default", "throttles"]


def test_nothing_that_is_ours_or_configured_unpickles(settings):
    modules = [path for part in ("project", "users", "orders", "inventory") for path in Path(part).rglob("*.py")]
    assert [str(path) for path in modules if "import pickle" in path.read_text()] == []
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"
    assert "Pickle" not in settings.MESSAGE_STORAGE
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_accept_content in (None, ["json"])
    serializer = counters.JSONSerializer()
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        serializer.loads(pickle.dumps({"a": 1}))
    assert serializer.loads(serializer.dumps({"a": 1}).encode()) == {"a": 1}
