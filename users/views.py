"""Accounts and tokens over HTTP."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from project.api.throttles import AddressThrottle
from users import confirmation, operations
from users.models import User
from users.serializers import (
    ConfirmationSerializer,
    CredentialsSerializer,
    LoginSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RefreshTokenSerializer,
    RegistrationSerializer,
    ResendSerializer,
    TokenSerializer,
    TokensSerializer,
    UserSerializer,
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
    throttle_scope = "register"

    @extend_schema(request=ConfirmationSerializer, responses={HTTPStatus.NO_CONTENT: None})
    def post(self, request: Request) -> Response:
        """Confirm an e-mail address, with the token at the end of the link in the mail.

        Repeating it changes nothing.
        """
        serializer = ConfirmationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        confirmation.confirm_address(**serializer.validated_data)
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

    @extend_schema(
        request=RefreshTokenSerializer,
        responses={
            HTTPStatus.OK: TokenSerializer,
            HTTPStatus.UNAUTHORIZED: OpenApiResponse(
                description="The token is not valid, or its account no longer exists."
            ),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Get a new access token for a refresh token."""
        return super().post(request, *args, **kwargs)
