"""Confirming an address as its owner does: by the link in a mail, and the password."""

import re
from typing import Any

from django.test import Client

PASSWORD = "correct horse battery"


def link_in(mail: Any) -> str:
    """The path of the link in a mail."""
    (link,) = re.findall(r"http://127\.0\.0\.1:\d+(/users/confirm/\S+)", mail.body)
    return str(link)


def token_in(mail: Any) -> str:
    return link_in(mail).split("/")[3]


def confirm(path: str, password: str = PASSWORD, **headers: Any) -> Any:
    """Type the password into the page of a link, and send it."""
    return Client().post(path, {"password": password}, **headers)
