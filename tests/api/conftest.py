"""Fixtures for the API tests."""

import pytest

from project.api.throttles import AddressThrottle


@pytest.fixture
def low_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow two attempts per minute and address."""
    monkeypatch.setattr(AddressThrottle, "RATES", {"login": 2, "register": 2, "refresh": 2})
