"""Accounts and tokens as JSON."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer

from project.api.serializers import StrictSerializer, TextField
from users.models import User

LONGEST_PASSWORD = 200
NO_ACCOUNT = "No active account has this e-mail and password; check both, or register by POST /api/v1/users/"


class UserSerializer(serializers.ModelSerializer[User]):
    """What an account's owner sees of it."""

    class Meta:
        model = User
        fields = ("id", "email", "name", "is_staff", "date_joined")
        read_only_fields = fields


class RegistrationSerializer(StrictSerializer):
    """What it takes to register."""

    email = TextField(max_length=254)
    # Spaces around a password belong to it.
    password = TextField(max_length=LONGEST_PASSWORD, trim_whitespace=False, write_only=True)
    name = TextField(max_length=150, allow_blank=True, default="")


class ProfileSerializer(StrictSerializer):
    """What people may change of their accounts."""

    name = TextField(max_length=150, allow_blank=True)


class CredentialsSerializer(StrictSerializer):
    """What it takes to log in."""

    email = TextField(max_length=254)
    password = TextField(max_length=LONGEST_PASSWORD, trim_whitespace=False, write_only=True)


class RefreshTokenSerializer(StrictSerializer):
    """A refresh token."""

    refresh = TextField()


class TokenSerializer(serializers.Serializer[Any]):
    """An access token."""

    access = serializers.CharField(read_only=True)


class TokensSerializer(TokenSerializer):
    """An access and a refresh token."""

    refresh = serializers.CharField(read_only=True)


class LoginSerializer(StrictSerializer, TokenObtainPairSerializer):
    """E-mail and password in, tokens out."""

    default_error_messages = {"no_active_account": NO_ACCOUNT}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = TextField(write_only=True, max_length=254)
        self.fields["password"] = TextField(write_only=True, max_length=LONGEST_PASSWORD, trim_whitespace=False)


class RefreshSerializer(StrictSerializer, TokenRefreshSerializer):
    """A refresh token in, a fresh access token out."""

    refresh = TextField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        """The new token, unless its owner's account is gone."""
        try:
            return super().validate(attrs)
        except User.DoesNotExist as error:
            raise AuthenticationFailed("The account of this token is gone", "no_active_account") from error
