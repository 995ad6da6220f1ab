"""The Content-Security-Policy in a real browser: everything on the pages works, and nothing violates it.

`browsing` fails on any error in the console, and the browser reports each violation there.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from inventory.models import Stock
from tests.browser.browser import browsing
from tests.browser.conftest import PASSWORD
from tests.browser.test_admin import PHONE, log_in
from users import operations as users
from users.confirmation import confirmation_token

pytestmark = pytest.mark.once

#: A directory for a look at the pages; none by default.
SCREENSHOTS = os.environ.get("SCREENSHOTS", "")

#: Fails with an error in the console wherever the policy lets an inline script run.
INJECT = """() => {
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
    return window.injected === true;
}"""


def look(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.wait_for_load_state("networkidle")
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


@pytest.mark.parametrize("width", [1280, PHONE])
def test_the_admin_works_within_its_policy(system, order, dead_letter, width):
    stock = Stock.objects.get().pk
    with browsing(system.web(), width=width) as page:
        page.goto("/admin/login/")
        look(page, f"login-{width}")
        log_in(page)
        look(page, f"index-{width}")
        for path in (
            *("users/user/", "users/user/add/", f"users/user/{order.customer_id}/change/", "auth/group/add/"),
            *(f"users/user/{order.customer_id}/password/", f"users/user/{order.customer_id}/history/"),
            *("orders/order/", f"orders/order/{order.pk}/change/", "orders/order/?q=nobody", "password_change/"),
            *("inventory/product/", "inventory/product/add/", "inventory/product/CUP/change/", "inventory/stock/"),
            *(f"inventory/stock/{stock}/change/", "bus/event/", "bus/delivery/?state=dead", "bus/subscription/"),
            *(f"bus/event/{dead_letter.event_id}/change/", f"bus/delivery/{dead_letter.pk}/change/"),
        ):
            page.goto(f"/admin/{path}")
            expect(page.locator("#main")).to_be_visible()
            look(page, f"{re.sub('[^a-z]+', '-', path)}{width}")


def test_menus_filters_dialogs_and_the_theme_work_within_the_policy(system, order):
    with browsing(system.web()) as page:
        log_in(page, "/admin/orders/order/")
        page.get_by_text("Filters").click()
        page.get_by_role("link", name="Confirmed", exact=True).click()
        page.wait_for_url("**/?status__exact=confirmed")
        page.locator("input[name=_selected_action]").first.check()
        page.locator("select[name=action]").select_option("cancel_orders")
        look(page, "action")
        page.goto(f"/admin/orders/order/{order.pk}/change/")
        page.get_by_role("link", name="Cancel order").click()
        expect(page.get_by_label("Reason")).to_be_visible()
        look(page, "dialog")

        page.goto("/admin/")
        page.keyboard.press("Control+k")
        page.locator("#search-input-command").press_sequentially("product")
        expect(page.locator("#command-results").get_by_text("Products")).to_be_visible()
        look(page, "search")
        page.goto("/admin/")
        page.get_by_text("root@example.org").first.click()
        page.get_by_text("Dark", exact=True).click()
        expect(page.locator("html")).to_have_class(re.compile("dark"))
        look(page, "theme")
        page.locator("#main").get_by_text("Products").click()
        expect(page.locator("html")).to_have_class(re.compile("dark"))


def test_swagger_sends_a_request_within_its_policy(system, order):
    with browsing(system.web()) as page:
        page.goto("/api/docs/")
        page.locator("#operations-products-products_list, [id*=products_list]").first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".responses-wrapper")).to_contain_text("CUP")
        look(page, "swagger")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (PHONE, False), (PHONE, True)])
def test_an_address_is_confirmed_within_the_policy_by_keyboard_alone(system, transactional_db, width, dark):
    user = users.register_user(email="ada@example.org", password=PASSWORD)
    path = f"/users/confirm/{confirmation_token(user)}/"
    look_name = f"confirm-{width}{'-dark' if dark else ''}"
    with browsing(system.web(), width=width, dark=dark) as page:
        page.goto(path)
        page.keyboard.press("Tab")
        expect(page.get_by_label("Password")).to_be_focused()
        look(page, look_name)
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
        look(page, f"{look_name}-done")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_wrong_password_is_named_at_its_field(system, transactional_db, dark):
    user = users.register_user(email="ada@example.org", password=PASSWORD)
    path = f"/users/confirm/{confirmation_token(user)}/"

    def mistype(address):
        with browsing(address, width=PHONE, dark=dark) as page:
            page.goto(path)
            page.get_by_label("Password").fill("wrong")
            page.get_by_role("button", name="Confirm the address").click()
            expect(page.get_by_role("alert")).to_contain_text("not the password of the account")
            expect(page.get_by_label("Password")).to_be_focused()
            look(page, f"confirm-wrong-{'dark' if dark else 'light'}")

    # The browser reports the status in the console, and nothing else.
    with pytest.raises(AssertionError, match=r"^\['Failed to load resource:[^']*400[^']*'\]"):
        mistype(system.web())


def inject(address, path):
    with browsing(address) as page:
        page.goto(path)
        assert not page.evaluate(INJECT)


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs/"])
def test_an_inline_script_does_not_run(system, staff, path):
    with pytest.raises(AssertionError, match="Content Security Policy"):
        inject(system.web(), path)
