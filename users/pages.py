"""The page that the link in a confirmation mail opens."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from users.confirmation import InvalidToken, confirm_address


# The token is the proof. Without a Referer, browsers could not pass Django's check of the origin.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_address_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button, and confirm the address when it is pressed: programs that scan mails follow links, too."""
    state, status = "question", HTTPStatus.OK
    if request.method == "POST":
        try:
            confirm_address(token=token)
            state = "done"
        except InvalidToken:
            state, status = "invalid", HTTPStatus.BAD_REQUEST
    answer = render(request, "users/confirm_address.html", {"state": state}, status=status)
    # The address of this page has the token in it.
    answer["Referrer-Policy"] = "no-referrer"
    return answer
