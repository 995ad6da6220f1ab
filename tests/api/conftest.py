"""Fixtures of the tests of the API."""

import pytest

from project.api.throttles import AddressThrottle


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries a minute."""
    monkeypatch.setattr(AddressThrottle, "THROTTLE_RATES", {"login": "2/min", "register": "2/min"})
