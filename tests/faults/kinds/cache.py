"""The cache, which only counts log-ins and registrations."""

import httpx

from tests.faults.client_history import PASSWORD, Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault

CACHE_ERROR = "the cache cannot be used"


@fault("cache down", area="cache")
def cache_down(cluster: Cluster, client: Client) -> None:
    """Users can log in all the same."""
    log = cluster.log("web")
    cluster.cache_proxy.refuse(True)
    try:
        client.grant(4)
        credentials = {"email": "customer0@example.org", "password": PASSWORD}
        answer = httpx.post(f"{client.url}/auth/token/", json=credentials, trust_env=False, timeout=10)
        assert answer.status_code == 200, answer.text
        # Each process warns at most once a minute.
        assert CACHE_ERROR in log.read_text(), "the cache answered"
    finally:
        cluster.cache_proxy.refuse(False)
