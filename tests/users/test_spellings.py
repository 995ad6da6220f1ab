"""All spellings of an address are one account, with one count of failed log-ins and one answer to a registration."""

# ruff: noqa: RUF001 - the spellings are ambiguous on purpose

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from project.api.throttles import AddressThrottle
from tests.api.clients import as_id, assert_problem, client_of
from users import operations
from users.addresses import normalize
from users.models import MailCount, User

PASSWORD = "correct horse battery"
LOGIN, USERS, RESEND = "/api/v1/auth/token/", "/api/v1/users/", "/api/v1/users/confirm/resend/"
NORMAL = "mike@example.org"
SPELLINGS = [
    "MIKE@EXAMPLE.ORG",
    " mike@example.org\u00a0",
    "mi\u212ae@example.org",  # the Kelvin sign
    "mi\u212ae@ｅxample.org",  # and a full-width letter
    "MI\u212aE@ＥＸＡＭＰＬＥ．ＯＲＧ",
    "mi\u212ae@example。org",
    "mi\u212ae@exam\U0001d429le.org",  # a bold p
    "mike@ex\u24d0mple.org",  # a letter in a circle
    "mike@ｅｘａｍｐｌｅ.org",
]
#: Letters whose cases or compositions are odd, next to those of plain addresses.
LETTERS = st.sampled_from(
    [
        *"abkKs@@..+-xn0",
        *"\u212a\u212bßẞſıİσςΣµﬁΐŉǰᏴꭰ。．｡＠ｅＥ\u00ad\u200b\u200d\u0307\u0308\u0345\u1fef\u037e\u00a0 ",
    ]
)
ADDRESSES = st.builds(
    "{}@{}.{}".format,
    st.text(LETTERS | st.characters(max_codepoint=0x17F), max_size=6),
    st.text(LETTERS | st.characters(), min_size=1, max_size=8),
    st.sampled_from(["org", "ORG", "ｏｒｇ", "xn--p1ai", "рф", "РФ", "ελ"]),
)


@settings(max_examples=400, deadline=None)
@given(ADDRESSES | st.text(LETTERS, max_size=20))
@example("mi\u212ae@ｅxample.org")
@example("ann@straße.example")
@example("ann@faß.de")
@example("ann@ΑΣ.example")
@example("ann@Ꭰ.example")
@example("ann@XN--MLLER-KVA.example")
def test_the_normal_form_is_its_own_normal_form_and_the_same_for_every_case(text):
    normal = normalize(text)
    assert normalize(normal) == normal
    assert normalize(f" {text}\t") == normal
    assert normalize(text.lower()) == normal
    upper = text.upper()
    if upper.lower() == text.lower():
        assert normalize(upper) == normal
    assert normal == normal.strip().lower()


@settings(max_examples=400, deadline=None)
@given(ADDRESSES)
def test_compositions_of_a_usable_address_are_one_address(text):
    normal = normalize(text)
    for form in ("NFC", "NFD", "NFKC"):
        spelled = unicodedata.normalize(form, normal)
        assert normal == text.strip().lower() or normalize(spelled) == normal


@pytest.fixture
def _high_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AddressThrottle, "RATES", dict.fromkeys(("login", "register", "refresh"), 10_000))


def log_in(email: str, password: str = "wrong") -> int:
    return client_of().post(LOGIN, {"email": email, "password": password}).status_code


@pytest.mark.django_db
@pytest.mark.usefixtures("_high_rates")
@pytest.mark.parametrize("spelling", SPELLINGS, ids=as_id)
def test_every_spelling_counts_for_the_one_account_that_it_finds(spelling):
    operations.register_user(email=NORMAL, password=PASSWORD, confirmed=True)
    assert log_in(spelling, PASSWORD) == 200
    assert [log_in(email) for email in (spelling, NORMAL) * 5] == [401] * 10
    assert [log_in(email, PASSWORD) for email in (spelling, NORMAL, *SPELLINGS)] == [429] * (2 + len(SPELLINGS))


@pytest.mark.django_db
@pytest.mark.usefixtures("_high_rates")
@pytest.mark.parametrize("spelling", SPELLINGS, ids=as_id)
def test_every_spelling_gets_the_same_answer_whether_it_is_taken_or_free(spelling, drain, mailoutbox, settings):
    settings.CONFIRM_EMAIL = True
    answers = [client_of().post(USERS, {"email": spelling, "password": PASSWORD, "name": "Eve"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json()["email"] for answer in answers] == [NORMAL, NORMAL]
    assert User.objects.get().email == NORMAL
    assert client_of().post(RESEND, {"email": spelling}).status_code == 202
    drain()
    assert [mail.to for mail in mailoutbox] == [[NORMAL]] * 3
    assert MailCount.objects.get().sent == 3


@pytest.mark.django_db
def test_an_address_that_no_spelling_makes_usable_is_refused_alike():
    for email in ("m\u0131ke", "m\u0131ke@example.org", "M\u0130KE@example.org", "mi\u200bke@example.org"):
        assert_problem(client_of().post(USERS, {"email": email, "password": PASSWORD}), 400, "email")
