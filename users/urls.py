"""Routes of the users service, under /api/v1/."""

from django.urls import path

from users import views

app_name = "users"
urlpatterns = [
    path("users/", views.UsersView.as_view(), name="users"),
    path("users/confirm/", views.ConfirmView.as_view(), name="confirm"),
    path("users/confirm/resend/", views.ResendView.as_view(), name="confirm-resend"),
    path("users/me/", views.MeView.as_view(), name="me"),
    path("users/me/password/", views.PasswordView.as_view(), name="password"),
    path("auth/token/", views.LoginView.as_view(), name="token"),
    path("auth/token/refresh/", views.RefreshView.as_view(), name="refresh"),
    path("auth/logout/", views.LogoutView.as_view(), name="logout"),
]
