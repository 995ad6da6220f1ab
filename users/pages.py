"""The page that the link in a confirmation mail opens."""

from http import HTTPStatus

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from project.api.problems import later_status
from project.api.throttles import count_log_in
from project.errors import TryLater
from users.confirmation import InvalidToken, NoPassword, WrongPassword, confirm_address
from users.serializers import MAX_PASSWORD_LENGTH


class PasswordForm(forms.Form):
    """Asks for the password of the account whose address is to be confirmed."""

    # Spaces around a password belong to it.
    password = forms.CharField(
        max_length=MAX_PASSWORD_LENGTH,
        strip=False,
        error_messages={"required": "Enter the password with which you registered."},
    )


# The CSRF token does not protect the confirmation: to forge this form, one must know token and password, and needs no
# other's browser. Without it, another site could send wrong passwords from its visitors' browsers until their network
# addresses are locked out. The site-wide Referrer-Policy, same-origin, lets browsers send the Origin that Django
# checks, and tells the address of this page, which has the token in it, to no other site.
@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_address_page(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for the password, and confirm the address if it is right: programs that scan mails follow links, too."""
    form = PasswordForm(request.POST if request.method == "POST" else None)
    state, status, wait = "question", HTTPStatus.OK, None
    if form.is_bound:
        try:
            status = HTTPStatus.BAD_REQUEST
            if form.is_valid():
                count_log_in(request, refusal="Too many log-ins from this address.")
                confirm_address(token=token, password=form.cleaned_data["password"], request=request)
                state, status = "done", HTTPStatus.OK
        except InvalidToken:
            state = "invalid"
        except NoPassword:
            state = "no password"
        except WrongPassword as error:
            form.add_error("password", error.errors[0].detail)
        except TryLater as error:
            form.add_error("password", f"{error} Try again in {error.wait} seconds.")
            status, wait = later_status(error), error.wait
    answer = render(request, "users/confirm_address.html", {"state": state, "form": form}, status=status)
    if wait is not None:
        answer["Retry-After"] = str(wait)
    return answer
