"""Accounts and tokens over HTTP."""

from http import HTTPStatus
from typing import Any

from django.contrib.auth import authenticate
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from project.api.account_throttle import AccountThrottle
from project.api.throttles import AddressThrottle
from project.errors import FieldError
from users import confirmation, operations, tokens
from users.models import User
from users.serializers import (
    ConfirmationSerializer,
    CredentialsSerializer,
    LoginSerializer,
    PasswordSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RefreshTokenSerializer,
    RegistrationSerializer,
    ResendSerializer,
    TokensSerializer,
    UserSerializer,
    pair,
)


class UsersView(APIView):
    """POST: register."""

    # An expired token must not prevent a registration.
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)
    throttle_scope = "register"

    @extend_schema(request=RegistrationSerializer, responses={HTTPStatus.CREATED: UserSerializer})
    def post(self, request: Request) -> Response:
        """Register.

        A mail with a link goes to the address, whose owner confirms it there. Until then the account cannot log in
        (unless the server runs with CONFIRM_EMAIL off), and gets no other mail. An address that has an account already
        gets the same answer, and its owner a mail that says so.
        """
        serializer = RegistrationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = operations.sign_up(**serializer.validated_data)
        return Response(UserSerializer(user).data, status=HTTPStatus.CREATED)


class ConfirmView(APIView):
    """POST: confirm an e-mail address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)
    throttle_scope = "login"

    @extend_schema(request=ConfirmationSerializer, responses={HTTPStatus.NO_CONTENT: None})
    def post(self, request: Request) -> Response:
        """Confirm an e-mail address, with the token at the end of the link in the mail and the account's password.

        A wrong password counts as a failed log-in. Repeating the call changes nothing.
        """
        serializer = ConfirmationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        confirmation.confirm_address(**serializer.validated_data, request=request)
        return Response(status=HTTPStatus.NO_CONTENT)


class ResendView(APIView):
    """POST: another mail to confirm an address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)
    throttle_scope = "register"

    @extend_schema(request=ResendSerializer, responses={HTTPStatus.ACCEPTED: None})
    def post(self, request: Request) -> Response:
        """Ask for another mail to confirm an address.

        The answer is the same for every address: it does not tell which ones have an account.
        """
        serializer = ResendSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        confirmation.request_confirmation(**serializer.validated_data)
        return Response(status=HTTPStatus.ACCEPTED)


def current_user(request: Request) -> User:
    """Return the account that is logged in.

    Raises:
        NotAuthenticated: no account is logged in.
    """
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


class MeView(APIView):
    """GET and PATCH: the account that is logged in."""

    @extend_schema(responses=UserSerializer)
    def get(self, request: Request) -> Response:
        """Show your account."""
        return Response(UserSerializer(current_user(request)).data)

    @extend_schema(request=ProfileSerializer, responses=UserSerializer)
    def patch(self, request: Request) -> Response:
        """Change the sent fields of your account."""
        serializer = ProfileSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        user = current_user(request)
        if "name" in serializer.validated_data:
            user = operations.rename_user(user_id=user.pk, name=serializer.validated_data["name"])
        return Response(UserSerializer(user).data)


class LoginView(TokenObtainPairView):
    """POST: a token for an e-mail and a password."""

    permission_classes = (AllowAny,)  # type: ignore[assignment]
    serializer_class = LoginSerializer
    throttle_classes = (AddressThrottle,)
    throttle_scope = "login"

    @extend_schema(
        request=CredentialsSerializer,
        responses={
            HTTPStatus.OK: TokensSerializer,
            HTTPStatus.UNAUTHORIZED: OpenApiResponse(
                description="No account that may log in has this address and password."
            ),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Get an access and a refresh token.

        Send the access token as the header `Authorization: Bearer TOKEN`.
        """
        return super().post(request, *args, **kwargs)


class RefreshView(TokenRefreshView):
    """POST: a new access token for a refresh token."""

    permission_classes = (AllowAny,)  # type: ignore[assignment]
    serializer_class = RefreshSerializer
    throttle_classes = (AddressThrottle,)
    throttle_scope = "refresh"

    @extend_schema(
        request=RefreshTokenSerializer,
        responses={
            HTTPStatus.OK: TokensSerializer,
            HTTPStatus.UNAUTHORIZED: OpenApiResponse(
                description="The token is not valid or was used, or its session has ended."
            ),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Get a new access and a new refresh token for a refresh token.

        A refresh token can be used once. When it is used again, its session ends, because somebody else has it.
        """
        return super().post(request, *args, **kwargs)


class LogoutView(APIView):
    """POST: end the session of a refresh token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)
    throttle_scope = "refresh"

    @extend_schema(request=RefreshTokenSerializer, responses={HTTPStatus.NO_CONTENT: None})
    def post(self, request: Request) -> Response:
        """End the session of a refresh token.

        An access token of the session stays valid until it expires. The answer is the same for a token that is not
        valid.
        """
        serializer = RefreshTokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tokens.end_session(serializer.validated_data["refresh"])
        return Response(status=HTTPStatus.NO_CONTENT)


class PasswordView(APIView):
    """POST: change one's password."""

    throttle_classes = (AddressThrottle, AccountThrottle)
    throttle_scope = "login"

    @extend_schema(request=PasswordSerializer, responses=TokensSerializer)
    def post(self, request: Request) -> Response:
        """Change your password.

        All tokens of the account end. The answer has new ones.
        """
        serializer = PasswordSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = current_user(request)
        # Counts like a log-in.
        if authenticate(request, username=user.email, password=serializer.validated_data["old_password"]) != user:
            detail = "This is not the password of your account."
            raise operations.InvalidUser(FieldError(field="old_password", code="wrong", detail=detail))
        user = operations.change_password(user_id=user.pk, password=serializer.validated_data["new_password"])
        return Response(pair(tokens.open_session(user)))
