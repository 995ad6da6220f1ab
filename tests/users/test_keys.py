"""The keys of sessions and of tokens are changed one at a time, in real web servers, and nobody has to log in again."""

import re
import secrets

import httpx
import pytest
from rest_framework_simplejwt.exceptions import TokenBackendError

from project.security_settings import derived_token_key
from tests.system import System
from users.models import User
from users.tokens import KeyRing

EMAIL, PASSWORD = "ann@example.org", "correct horse battery"
OLD, NEW = secrets.token_urlsafe(50), secrets.token_urlsafe(50)


class Visitor:
    """Somebody who is logged in to the admin and to the API."""

    def __init__(self, address: str) -> None:
        self.cookies = httpx.Cookies()
        with httpx.Client(base_url=address, trust_env=False, cookies=self.cookies) as client:
            page = client.get("/admin/login/")
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
            assert token
            form = {"username": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
            assert client.post("/admin/login/", data=form).status_code == 302
            self.cookies.update(client.cookies)
            answer = client.post("/api/v1/auth/token/", json={"email": EMAIL, "password": PASSWORD})
            self.tokens = answer.json()

    def is_known(self, address: str) -> tuple[bool, bool]:
        """Whether the admin's session is valid, and the API's token."""
        headers = {"Authorization": f"Bearer {self.tokens['access']}"}
        with httpx.Client(base_url=address, trust_env=False, cookies=self.cookies) as client:
            page = client.get("/admin/").status_code
            return page == 200, client.get("/api/v1/users/me/", headers=headers).status_code == 200


def serve(system: System, **keys: str) -> str:
    if "web" in system.processes:
        system.kill("web")
    system.environment = {name: value for name, value in system.environment.items() if "_KEY" not in name} | keys
    return system.web()


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        # One key changes, with the old one as a fallback.
        ({"SECRET_KEY": OLD}, {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": OLD}, (True, True)),
        ({"TOKEN_KEY": OLD}, {"TOKEN_KEY": NEW, "TOKEN_KEY_FALLBACKS": OLD}, (True, True)),
        # One key changes, without: the other one's log-ins go on.
        ({"SECRET_KEY": OLD, "TOKEN_KEY": NEW}, {"SECRET_KEY": NEW[::-1], "TOKEN_KEY": NEW}, (False, True)),
        ({"TOKEN_KEY": OLD}, {"TOKEN_KEY": NEW}, (True, False)),
    ],
)
def test_a_key_is_changed_without_the_other(system, before, after, known):
    User.objects.create_superuser(EMAIL, PASSWORD)
    visitor = Visitor(serve(system, **before))
    address = serve(system, **after)
    assert visitor.is_known(address) == known
    answer = httpx.post(f"{address}/api/v1/auth/token/refresh/", json={"refresh": visitor.tokens["refresh"]})
    assert answer.is_success == known[1]
    if answer.is_success:
        # What is new is signed with the new key alone.
        signed_with = after.get("TOKEN_KEY") or derived_token_key(after["SECRET_KEY"])
        KeyRing(signed_with).decode(answer.json()["access"])
        with pytest.raises(TokenBackendError):
            KeyRing(OLD, derived_token_key(OLD)).decode(answer.json()["access"])


def test_the_derived_key_is_not_the_secret_and_stays_the_same():
    assert derived_token_key(OLD) == derived_token_key(OLD)
    assert len({OLD, derived_token_key(OLD), derived_token_key(NEW)}) == 3
