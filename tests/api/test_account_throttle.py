"""One account may send a limited number of unsafe calls a minute."""

from itertools import cycle
from uuid import UUID

import pytest
from django.core.cache import caches

from tests.api.clients import assert_problem, client_of, new_user
from tests.api.test_permissions import ROWS
from tests.threads import at_once

ME = "/api/v1/users/me/"
#: Who is logged in does not matter to them; they are counted by address.
PUBLIC = [route for (method, route), statuses in ROWS.items() if method != "GET" and statuses[0] < 400]
UNSAFE = [key for key in ROWS if key[0] != "GET" and key[1] not in PUBLIC]


@pytest.fixture(autouse=True)
def _quota(db, settings, monkeypatch):
    settings.UNSAFE_CALLS_PER_MINUTE = 3
    set_clock(monkeypatch, 1_000_000 * 60 + 15.5)


def set_clock(monkeypatch, now):
    monkeypatch.setattr("project.api.counters.time.time", lambda: now)


def rename(client):
    return client.patch(ME, {"name": "Ann"})


@pytest.mark.parametrize("account", [{}, {"is_staff": True}, {"is_staff": True, "is_superuser": True}])
def test_one_call_too_many_is_a_429_that_says_what_is_counted_and_how_long_to_wait(account):
    client = client_of(user := new_user(**account))
    assert [rename(client).status_code for _ in range(3)] == [200] * 3
    refused = client.patch(ME, {"name": "Bob"})
    problem = assert_problem(refused, 429)
    assert problem["type"] == "urn:orderly:problem:too-many-unsafe-calls"
    assert "3 POST, PUT, PATCH and DELETE requests within a minute" in problem["detail"]
    assert "Wait 45 seconds" in problem["detail"]
    assert refused["Retry-After"] == "45"
    user.refresh_from_db()
    assert user.name == "Ann"
    assert client.get(ME).status_code == 200, "reading goes on"


def test_after_a_minute_the_account_may_go_on(monkeypatch):
    client = client_of(new_user())
    assert [rename(client).status_code for _ in range(4)] == [200, 200, 200, 429]
    set_clock(monkeypatch, 1_000_001 * 60)
    assert rename(client).status_code == 200


@pytest.mark.parametrize(("method", "route"), UNSAFE)
def test_the_calls_to_all_views_are_counted_together(method, route):
    client = client_of(new_user(is_staff=True, is_superuser=True))
    for _ in range(3):
        rename(client)
    path = route.format_map(dict.fromkeys(("sku", "code"), "X") | dict.fromkeys(("order_id", "event_id"), UUID(int=0)))
    assert_problem(client.generic(method, path, "{}", content_type="application/json"), 429)


def test_invalid_calls_and_those_of_all_methods_count():
    client = client_of(new_user())
    assert client.post("/api/v1/orders/", {}).status_code == 400
    assert client.delete("/api/v1/orders/").status_code == 405
    assert client.put(ME, {}).status_code == 405
    assert rename(client).status_code == 429


def test_each_account_has_its_own_count_wherever_it_comes_from():
    ann, bob = client_of(new_user()), client_of(new_user())
    addresses = cycle(["192.0.2.1", "192.0.2.2"])
    answers = [ann.patch(ME, {"name": "Ann"}, REMOTE_ADDR=next(addresses)).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    assert rename(bob).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_calls_at_the_same_moment_are_all_counted():
    user = new_user()
    answers = at_once(*[lambda: rename(client_of(user)).status_code] * 20)
    assert sorted(answers) == [200] * 3 + [429] * 17


def test_a_counter_that_a_full_cache_dropped_begins_again(monkeypatch):
    monkeypatch.setattr(caches["throttles"], "add", lambda *_, **__: True)
    assert rename(client_of(new_user())).status_code == 200


def test_while_the_cache_is_down_no_call_is_refused(settings, caplog):
    settings.CACHES = {
        **settings.CACHES,
        "throttles": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"socket_connect_timeout": 0.2},
        },
    }
    client = client_of(new_user())
    assert [rename(client).status_code for _ in range(4)] == [200] * 4
    assert "the cache cannot be used, so no request is throttled" in caplog.text
