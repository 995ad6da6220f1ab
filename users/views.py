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
from users import operations
from users.models import User
from users.serializers import (
    CredentialsSerializer,
    LoginSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RefreshTokenSerializer,
    RegistrationSerializer,
    TokenSerializer,
    TokensSerializer,
    UserSerializer,
)


class UsersView(APIView):
    """POST: register."""

    # A stale token must not keep anybody from registering.
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)
    throttle_scope = "register"

    @extend_schema(request=RegistrationSerializer, responses={HTTPStatus.CREATED: UserSerializer})
    def post(self, request: Request) -> Response:
        """Register.

        The new account can get a token at once, by POST /api/v1/auth/token/.
        """
        serializer = RegistrationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = operations.register_user(**serializer.validated_data)
        return Response(UserSerializer(user).data, status=HTTPStatus.CREATED)


def own_account(request: Request) -> User:
    """The account of whoever is logged in.

    Raises:
        NotAuthenticated: nobody is.
    """
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


class MeView(APIView):
    """GET and PATCH: one's own account."""

    @extend_schema(responses=UserSerializer)
    def get(self, request: Request) -> Response:
        """Show one's own account."""
        return Response(UserSerializer(own_account(request)).data)

    @extend_schema(request=ProfileSerializer, responses=UserSerializer)
    def patch(self, request: Request) -> Response:
        """Change what is sent of one's own account."""
        serializer = ProfileSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        user = own_account(request)
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
            HTTPStatus.UNAUTHORIZED: OpenApiResponse(description="No active account has this e-mail and password."),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Get an access and a refresh token.

        Send the access token as the header `Authorization: Bearer TOKEN`.
        """
        return super().post(request, *args, **kwargs)


class RefreshView(TokenRefreshView):
    """POST: a fresh access token for a refresh token."""

    permission_classes = (AllowAny,)  # type: ignore[assignment]
    serializer_class = RefreshSerializer

    @extend_schema(
        request=RefreshTokenSerializer,
        responses={
            HTTPStatus.OK: TokenSerializer,
            HTTPStatus.UNAUTHORIZED: OpenApiResponse(description="The token is not valid, or its account is gone."),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Get a fresh access token for a refresh token."""
        return super().post(request, *args, **kwargs)
