"""Which addresses and names an account can have, by every way that sets them."""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from tests.api.clients import as_id, assert_problem, client_of, new_user
from users import operations
from users.addresses import is_safe_name, parse_address
from users.models import User
from users.operations import InvalidUser

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"

BAD_ADDRESSES = [
    "ann",
    "ann@localhost",
    "ann@",
    "@shop.example",
    "ann@@example.org",
    "ann@example..org",
    ".ann@example.org",
    "an..n@example.org",
    "ann@[192.0.2.1]",
    "ann@example.org\nBcc: bob@example.org",
    '"ann"@example.org',
    '"a\x01b"@example.org',
    '"a\\\x7fb"@example.org',
    '"a b"@example.org',
    "änn@example.org",
    "Ann <ann@example.org>",
    "ann@example.org, bob@example.org",
    "ann@exa\u00admple.org",  # a soft hyphen
    "ａnn@example.org",  # noqa: RUF001 - a full-width letter before the @
    "ann＠example.org",  # noqa: RUF001 - a full-width @
    "ann@-example.org",
    "ann@shop.invalid",
    f"{'a' * 65}@example.org",
]
GOOD_ADDRESSES = [
    ("ann@example.org", "ann@example.org"),
    ("Ann.O'Neil+shop@Example.COM", "ann.o'neil+shop@example.com"),
    (" ann@example.net ", "ann@example.net"),
    ("customer-a+0f@simulation.example", "customer-a+0f@simulation.example"),
    ("ann@STRASSE.example", "ann@strasse.example"),
    ("ann@MÜLLER.example", "ann@müller.example"),
    ("ann@xn--mller-kva.example", "ann@müller.example"),
]
BAD_NAMES = [
    "https://evil.example/x",
    "Click http://192.0.2.1",
    "ｈｔｔｐｓ：／／evil",  # noqa: RUF001 - full-width letters
    "www.evil",
    "go to evil.example",
    "EVIL.EXAMPLE/win",
    "evil。example",
    "t.co/x",
    "💩.la",
    "❤.ws/abc",
    "❤\ufe0f.ws",  # with a variation selector
    "\U0001f170.com",
    '".com',
    "’.com",  # noqa: RUF001
    "a’.com",  # noqa: RUF001
    "€.example",
    "Ann…com",
    "evil．com",  # noqa: RUF001 - a full-width full stop
    "evil｡com",
    "evil\u2024com",  # a one dot leader
    "evil⒈com",
    "evil.рф",
    "evil.भारत",
    "evil.c\u0332om",  # a letter with a line under it
    "evil.XN--P1AI",
    "192.0.2.1/x",
    "mailto:ann",
    "//evil",
    "ann@example.org",
    "ann＠evil",  # noqa: RUF001 - a full-width @
    "Ann\nBcc: x",
    "Ann\rx",
    "Ann\tx",
    "Ann\x1b[31m",
    "Ann\x85x",
    "Ann\u2028x",
    "Ann\u2029x",
    "Ann\u202egpj",
    "Ann\u2066x",
    "Ann\u200bx",
    "Ann\u00adx",
    "Ann\ufeffx",
    "Ann\ue000x",
    "x" * 151,
]
GOOD_NAMES = [
    "Ann",
    "J. R. R. Tolkien",
    "J.R. Smith",
    "Dr. Ann Müller-Lüdenscheidt",
    "Sinéad O'Connor",
    "O’Neil",  # noqa: RUF001
    "St. John",
    "Ann St. John-Smith Jr.",
    "Anne-Marie",
    "J. Edgar",
    "J.-P. Sartre",
    "Ann, M.D.",
    "Nguyễn Thị Ánh",
    "प्रिया शर्मा",
    "डॉ. प्रिया",
    "김민수",
    "やまだ・たろう",
    "Jean · Luc",
    "❤ Ann",
    "李小龍",
    "محمد علي",
    "Ann (Annie) Smith, Ph.D.",
    "x" * 150,
    "",
]


@pytest.mark.parametrize("address", BAD_ADDRESSES, ids=as_id)
def test_unusable_address_gets_no_account(address):
    answer = client_of().post("/api/v1/users/", {"email": address, "password": PASSWORD})
    problem = assert_problem(answer, 400, "email")
    assert address not in str(problem["errors"])
    with pytest.raises(InvalidUser):
        operations.register_customers(names={address: ""})
    with pytest.raises(CommandError):
        call_command("createsuperuser", email=address, interactive=False, verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org"))
    form = {"email": address, "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/admin/users/user/add/", form).status_code == 200
    assert User.objects.count() == 1


@pytest.mark.parametrize(("address", "stored"), GOOD_ADDRESSES)
def test_usable_address_is_stored_in_its_normal_form_and_found_by_any_spelling(address, stored):
    answer = client_of().post("/api/v1/users/", {"email": address, "password": PASSWORD})
    assert answer.json()["email"] == stored
    assert User.objects.get().email == stored
    for spelling in (address, stored, stored.upper()):
        login = {"email": spelling, "password": PASSWORD}
        assert client_of().post("/api/v1/auth/token/", login).status_code == 200, spelling
        assert User.objects.filter(email=spelling).exists()
    assert operations.register_customers(names={address: ""})[address] == User.objects.get()


def test_mailbox_has_no_tag_and_its_domain_is_in_ascii():
    assert parse_address("Ann+a+b@Müller.example").mailbox == "ann@xn--mller-kva.example"
    assert parse_address("+ann@example.org").mailbox == "+ann@example.org"
    with pytest.raises(ValidationError):
        parse_address("ann")


@pytest.mark.parametrize("name", BAD_NAMES, ids=as_id)
def test_name_that_is_not_one_plain_line_is_refused(name):
    assert not is_safe_name(name)
    registration = {"email": "ann@example.org", "password": PASSWORD, "name": name}
    assert_problem(client_of().post("/api/v1/users/", registration), 400, "name")
    user = new_user()
    assert_problem(client_of(user).patch("/api/v1/users/me/", {"name": name}), 400, "name")
    with pytest.raises(InvalidUser):
        operations.register_customers(names={"bob@example.org": name})
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org"))
    form = {"email": user.email, "name": name, "is_active": "on"}
    client.post(f"/admin/users/user/{user.pk}/change/", form)
    assert set(User.objects.values_list("name", flat=True)) == {"Ann", ""}


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_name_of_a_person_is_accepted(name):
    assert is_safe_name(name) == bool(name)
    registration = {"email": "ann@example.org", "password": PASSWORD, "name": name}
    assert client_of().post("/api/v1/users/", registration).json()["name"] == name


def test_spaces_around_a_name_are_refused_where_nothing_strips_them():
    with pytest.raises(InvalidUser, match="spaces"):
        operations.register_user(email="ann@example.org", password=None, name=" Ann")


def store(email: str) -> User:
    """An account with a password whose address is stored as it is, as before addresses were checked."""
    user = operations.register_user(email="old@example.org", password=PASSWORD, name="Ann", confirmed=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE users_user SET email = %s WHERE id = %s", [email, user.pk.hex if is_sqlite() else user.pk]
        )
    return User.objects.get(pk=user.pk)


def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


OLD_ADDRESSES = ["ann@localhost", '"ann"@example.org', "ann@ｅxample.org", "änn@example.org"]  # noqa: RUF001


@pytest.mark.parametrize("email", OLD_ADDRESSES, ids=as_id)
def test_old_account_with_an_address_of_before_logs_in_and_can_be_changed(email):
    user = store(email)
    login = {"email": f" {email.upper()}", "password": PASSWORD}
    assert client_of().post("/api/v1/auth/token/", login).status_code == 200
    assert client_of(user).patch("/api/v1/users/me/", {"name": "Anna"}).status_code == 200
    stored = User.objects.get(pk=user.pk)
    assert (stored.email, stored.name) == (email, "Anna")
    assert stored.email_confirmed_at is not None


def test_staff_deactivate_an_old_account_without_changing_its_address():
    user = store('"ann"@example.org')
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org"))
    form = {"email": user.email, "name": "Ann"}  # without `is_active`
    assert client.post(f"/admin/users/user/{user.pk}/change/", form).status_code == 302
    stored = User.objects.get(pk=user.pk)
    assert (stored.email, stored.is_active) == (user.email, False)
