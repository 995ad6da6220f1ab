"""Accounts and tokens as JSON."""

from typing import Any

from rest_framework import serializers
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer

from project.api.serializers import StrictCharField, StrictSerializer
from users import tokens
from users.models import User

MAX_PASSWORD_LENGTH = 200
#: Ours have 300 characters or so.
MAX_TOKEN_LENGTH = 2000
#: The same for every cause.
NO_ACCOUNT = (
    "No account that may log in has this e-mail and password. Check both, or confirm the address by the link in our "
    "mail (POST /api/v1/users/confirm/resend/ sends another), or register with POST /api/v1/users/"
)


class UserSerializer(serializers.ModelSerializer[User]):
    """An account, as its owner sees it."""

    class Meta:
        model = User
        fields = ("id", "email", "name", "is_staff", "date_joined")
        read_only_fields = fields


class RegistrationSerializer(StrictSerializer):
    """A registration."""

    email = StrictCharField(max_length=254)
    # Spaces around a password belong to it.
    password = StrictCharField(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True)
    name = StrictCharField(max_length=150, allow_blank=True, default="")


class ConfirmationSerializer(StrictSerializer):
    """The token of a mail that asks to confirm an address, and the password of the account."""

    token = StrictCharField(max_length=500)
    password = StrictCharField(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True)


class ResendSerializer(StrictSerializer):
    """The address that is to get such a mail again."""

    email = StrictCharField(max_length=254)


class ProfileSerializer(StrictSerializer):
    """Changes of one's account."""

    name = StrictCharField(max_length=150, allow_blank=True)


class CredentialsSerializer(StrictSerializer):
    """A login."""

    email = StrictCharField(max_length=254)
    password = StrictCharField(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True)


class RefreshTokenSerializer(StrictSerializer):
    """A refresh token."""

    refresh = StrictCharField(max_length=MAX_TOKEN_LENGTH)


class TokensSerializer(serializers.Serializer[Any]):
    """An access and a refresh token."""

    access = serializers.CharField(max_length=MAX_TOKEN_LENGTH, read_only=True)
    refresh = serializers.CharField(max_length=MAX_TOKEN_LENGTH, read_only=True)


class PasswordSerializer(StrictSerializer):
    """A change of one's password."""

    old_password = StrictCharField(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True)
    new_password = StrictCharField(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True)


class LoginSerializer(StrictSerializer, TokenObtainPairSerializer):
    """Takes e-mail and password, returns tokens."""

    default_error_messages = {"no_active_account": NO_ACCOUNT}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = StrictCharField(write_only=True, max_length=254)
        self.fields["password"] = StrictCharField(
            write_only=True, max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False
        )

    @classmethod
    def get_token(cls, user: Any) -> Any:
        return tokens.open_session(user)


class RefreshSerializer(StrictSerializer, TokenRefreshSerializer):
    """Takes a refresh token, returns a new access and a new refresh token."""

    refresh = StrictCharField(max_length=MAX_TOKEN_LENGTH)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        return pair(tokens.renew(attrs["refresh"]))


def pair(refresh: tokens.RefreshToken) -> dict[str, str]:
    """Return the tokens of a session, as TokensSerializer describes them."""
    return {"access": str(refresh.access_token), "refresh": str(refresh)}
