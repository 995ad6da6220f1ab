"""What an e-mail address and a name may be: checked, normalised, and safe to send mail to."""

import re
import unicodedata
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from email_validator import EmailNotValidError, validate_email

from project.plain_text import is_printable

MAX_NAME_LENGTH = 150

INVALID_ADDRESS = "This is not an e-mail address that we can send to. Write it plainly, like ada@example.org."

#: A dot between the labels of a domain, like the characters that NFKC makes a dot of.
IDEOGRAPHIC_FULL_STOP = "。"
#: What mail programs turn into a link, or people read as one.
LINK = re.compile(
    r"""
      [\w+-]+ \s* : \s* // | //           # https://, and an address without its scheme
    | \b (?: https? | ftp | mailto | tel | sms | javascript | data ) \s* :
    | \b www \s* \.
    | \S \. [^\W\d_]{2,}                  # example.org, and with it St.John: a space belongs after that dot
    | \d \. \d+ \. \d+ \. \d              # 192.0.2.1
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Address:
    """A usable e-mail address."""

    #: As it is stored: lower case, and the domain in its one normal form.
    normalized: str
    #: As it is sent to: the domain in its ASCII form.
    ascii: str

    @property
    def mailbox(self) -> str:
        """The mailbox, for which ann+shop@example.org is another spelling of ann@example.org."""
        local, _, domain = self.ascii.partition("@")
        return f"{local.partition('+')[0] or local}@{domain}"


def parse_address(text: str) -> Address:
    """Check and normalise an e-mail address, without asking the network.

    Lower case comes first, because it makes a plain k of the Kelvin sign.
    The local part is a dot-atom in ASCII. Quoted ones can break headers, and many servers refuse those of SMTPUTF8.

    Raises:
        ValidationError: the address cannot be used. The text does not repeat it.
    """
    try:
        found = validate_email(
            text.strip().lower(),
            check_deliverability=False,
            allow_smtputf8=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            strict=True,
        )
    except EmailNotValidError:
        raise ValidationError(INVALID_ADDRESS, code="invalid") from None
    address = Address(normalized=found.normalized.lower(), ascii=(found.ascii_email or "").lower())
    if not address.ascii or len(address.ascii) > 254:
        raise ValidationError(INVALID_ADDRESS, code="invalid")
    return address


def normalize(text: str) -> str:
    """Return the form in which an address is stored. What is no usable address is only stripped and in lower case.

    The normal form of a normal form is itself: else two spellings of an address would have one account, but not one
    count of failed log-ins.
    """
    try:
        return parse_address(text).normalized
    except ValidationError:
        return text.strip().lower()


def validate_address(text: str) -> None:
    """Refuse an address that cannot be used.

    Raises:
        ValidationError: with a text that does not repeat the address.
    """
    parse_address(text)


def validate_name(name: str) -> None:
    """Refuse a name that is not one plain line: names stand in mails, so a name must not be a letter or a link.

    Raises:
        ValidationError: saying what to change.
    """
    if name != name.strip():
        raise ValidationError("Remove the spaces around the name.", code="spaces")
    if not is_printable(name):
        raise ValidationError("Write the name in one line, without invisible characters.", code="unprintable")
    composed = unicodedata.normalize("NFKC", name).replace(IDEOGRAPHIC_FULL_STOP, ".")
    # Without marks that stand alone: example.भारत is a domain of Indian letters and vowel signs.
    plain = "".join(character for character in composed if not unicodedata.category(character).startswith("M"))
    if "@" in plain or LINK.search(plain):
        detail = "Write a name without web and e-mail addresses, and with a space after each dot."
        raise ValidationError(detail, code="link")


def is_safe_name(name: str) -> bool:
    """Whether a stored name may stand in a mail."""
    try:
        validate_name(name)
    except ValidationError:
        return False
    return 0 < len(name) <= MAX_NAME_LENGTH
