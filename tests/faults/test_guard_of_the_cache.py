"""Hostile values in the cache: web processes run no code from it, fail no request, and lock nobody out for good."""

from uuid import uuid4

import httpx
import pytest
import redis

from tests.faults import hostile
from tests.system import System

PATHS = ("auth/token/", "auth/token/refresh/", "users/")


@pytest.fixture
def cache(system: System) -> redis.Redis:
    """An empty Redis, which is both broker and cache of the web process."""
    client = system.redis()
    system.environment["CACHE_URL"] = system.environment["BROKER_URL"]
    return client


def ask(address: str) -> list[int]:
    """Send one request to each call that reads the cache; the statuses."""
    # Another account each time, because failed log-ins lock one out.
    bodies = ({"email": f"{uuid4()}@example.org", "password": "wrong"}, {"refresh": "none"}, {"email": "no address"})
    return [
        httpx.post(f"{address}/api/v1/{path}", json=body, trust_env=False).status_code
        for path, body in zip(PATHS, bodies, strict=True)
    ]


def test_no_value_in_the_cache_runs_code_or_fails_a_request(system, cache, tmp_path):
    proof = tmp_path / "proof"
    address = system.web()
    assert ask(address) == [401, 401, 400]
    assert len(cache.keys()) >= len(PATHS)
    for name, value in hostile.cache_values(proof).items():
        for key in cache.keys("*"):
            cache.set(key, value)
        assert ask(address) == [401, 401, 400], name
        assert not proof.exists(), name
    for kind in (("LPUSH", "x"), ("HSET", "a", "x"), ("ZADD", "1", "x")):
        for key in cache.keys("*"):
            cache.delete(key)
            cache.execute_command(kind[0], key, *kind[1:])
        assert ask(address) == [401, 401, 400], kind
    assert "Traceback" not in system.log("web").read_text()
