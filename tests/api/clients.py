"""Accounts and API clients for tests."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from users.models import User
from users.operations import register_user


def new_user(**fields: Any) -> User:
    """An account without a password, with a confirmed address."""
    email = fields.pop("email", f"{uuid4()}@example.org")
    user = register_user(email=email, password=None, name="Ann", confirmed=True)
    for name, value in fields.items():
        setattr(user, name, value)
    user.save()
    return user


def member_of(group: str) -> User:
    """A member of staff with the permissions of a ready-made group."""
    user = new_user(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def client_of(user: User | None = None) -> APIClient:
    """A client that sends JSON with the user's token; a crash is a response with status 500, not an exception."""
    client = APIClient(raise_request_exception=False)
    client.default_format = "json"
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
    return client


def assert_problem(response: Any, status: int, *fields: str) -> dict[str, Any]:
    """Check that the response is a problem document with this status, and that its errors name exactly these fields."""
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert response.status_code == problem["status"] == status, problem
    assert problem["type"].startswith("urn:orderly:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == response.wsgi_request.path
    assert sorted({error["field"] for error in problem.get("errors", [])}) == sorted(fields), problem
    assert all(error["code"] and error["detail"] for error in problem.get("errors", []))
    assert "Traceback" not in str(problem)
    return problem


def as_id(value: object) -> str:
    """The value as the id of a test, without spaces: tests/mutants.py reads ids from pytest's report."""
    return ascii(value).replace(" ", "_")
