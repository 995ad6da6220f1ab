"""Accounts and tokens as JSON."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer

from project.api.serializers import StrictCharField, StrictSerializer
from users.models import User

MAX_PASSWORD_LENGTH = 200
#: Ours have 300 characters or so.
MAX_TOKEN_LENGTH = 2000
NO_ACCOUNT = "No active account has this e-mail and password; check both, or register with POST /api/v1/users/"


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


class TokenSerializer(serializers.Serializer[Any]):
    """An access token."""

    access = serializers.CharField(max_length=MAX_TOKEN_LENGTH, read_only=True)


class TokensSerializer(TokenSerializer):
    """An access and a refresh token."""

    refresh = serializers.CharField(max_length=MAX_TOKEN_LENGTH, read_only=True)


class LoginSerializer(StrictSerializer, TokenObtainPairSerializer):
    """Takes e-mail and password, returns tokens."""

    default_error_messages = {"no_active_account": NO_ACCOUNT}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = StrictCharField(write_only=True, max_length=254)
        self.fields["password"] = StrictCharField(
            write_only=True, max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False
        )


class RefreshSerializer(StrictSerializer, TokenRefreshSerializer):
    """Takes a refresh token, returns a new access token."""

    refresh = StrictCharField(max_length=MAX_TOKEN_LENGTH)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        """Refuse the token of an account that no longer exists."""
        try:
            return super().validate(attrs)
        except User.DoesNotExist as error:
            raise AuthenticationFailed("The account of this token no longer exists", "no_active_account") from error
