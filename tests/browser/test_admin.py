"""The admin in a real browser, against a real web server."""

import re
from uuid import UUID

from playwright.sync_api import Page, expect

from inventory.models import Movement, Stock
from orders.models import Order
from project.bus.models import Receipt
from tests.browser.browser import browsing
from tests.browser.conftest import EMAIL, PASSWORD

PHONE, DESKTOP = 390, 1280


def log_in(page: Page, path: str = "/admin/") -> None:
    page.goto(path)
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile(re.escape(path) + "$"))


def search(page: Page, term: str) -> None:
    page.get_by_role("search").get_by_role("textbox").fill(term)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"\?q="))


def test_staff_follow_a_customers_order_to_its_movements_and_events_and_back(system, order):
    movement = Movement.objects.get(order_id=order.pk)
    with browsing(system.web()) as page:
        log_in(page, "/admin/users/user/")
        search(page, "lovelace")
        page.get_by_role("link", name="ada@example.org").click()
        page.get_by_role("link", name="orders of this customer").click()
        page.get_by_role("link", name=str(order.pk)).click()
        expect(page.locator("body")).to_contain_text("9.00 EUR")

        page.get_by_role("link", name="stock movements for this order").click()
        expect(page.locator("#result_list")).to_contain_text("CUP at MAIN")
        page.locator("#result_list").get_by_role("link", name=str(movement.pk), exact=True).click()
        page.get_by_role("link", name=f"event {movement.event_id}").click()
        expect(page.locator("body")).to_contain_text("orders.order_placed")
        page.get_by_role("link", name="inventory.reserve_stock").click()
        page.get_by_role("link", name="orders.order_placed").click()
        page.get_by_role("link", name=str(order.pk), exact=True).first.click()
        page.wait_for_url(f"**/admin/orders/order/{order.pk}/change/")

        page.get_by_role("link", name="events about this order").click()
        expect(page.locator("#result_list")).to_contain_text("orders.order_confirmed")
        page.get_by_role("link", name="All events").click()
        expect(page.locator("#result_list")).to_contain_text("users.user_created")


def test_stock_is_received_after_an_error_is_corrected(system, order, staff):
    with browsing(system.web()) as page:
        log_in(page)
        page.locator("#nav-sidebar").get_by_role("link", name="Stock").click()
        page.get_by_role("link", name="Receive stock").click()
        page.get_by_label("SKU").fill("CAP")
        page.get_by_label("Location").select_option("MAIN")
        page.get_by_label("Quantity").fill("12")
        page.get_by_label("Reason").fill("delivery note 4711")
        page.get_by_role("button", name="Receive").click()
        expect(page.get_by_text("No product has the SKU 'CAP'.")).to_be_visible()
        page.get_by_label("SKU").fill("CUP")
        page.get_by_role("button", name="Receive").click()
        expect(page.get_by_text("CUP at MAIN: 17 on hand, 2 of them reserved.")).to_be_visible()
        page.get_by_role("link", name="movements", exact=True).click()
        page.locator("#result_list").get_by_role("link", name="person").click()
        page.wait_for_url(f"**/admin/users/user/{staff.pk}/change/")
    assert Stock.objects.get().on_hand == 17
    assert Movement.objects.get(reason="delivery note 4711").actor_id == staff.pk


def test_order_is_cancelled_with_a_reason(system, order, staff):
    with browsing(system.web()) as page:
        log_in(page, f"/admin/orders/order/{order.pk}/change/")
        page.get_by_role("link", name="Cancel order").click()
        page.get_by_label("Reason").fill("the cups were recalled")
        page.get_by_label("Message to the customer").fill("We are out of cups.")
        page.get_by_role("button", name="Cancel order").click()
        expect(page.get_by_text(f"Order {order.pk} is cancelled")).to_be_visible()
        expect(page.get_by_role("link", name="Cancel order")).to_have_count(0)
        expect(page.get_by_role("link", name=f"person {staff.pk}")).to_be_visible()
    order.refresh_from_db()
    assert (order.status, order.reason) == ("cancelled", "We are out of cups.")
    assert order.changes.get(to_status="cancelled").reason == "the cups were recalled"


def test_a_dead_letter_is_read_and_retried(system, dead_letter, order, drain):
    with browsing(system.web()) as page:
        log_in(page, "/admin/bus/delivery/")
        page.get_by_text("Filters").click()
        page.get_by_role("link", name="dead", exact=True).click()
        page.get_by_role("link", name="orders.confirm_orders").last.click()
        expect(page.locator("pre:visible").last).to_contain_text("no order has the id")
        page.get_by_role("link", name="Retry").click()
        page.get_by_role("button", name="Retry").click()
        expect(page.get_by_text("Due again, now: orders.confirm_orders.")).to_be_visible()
        page.wait_for_url(f"**/admin/bus/event/{dead_letter.event_id}/change/")
    # The order exists now.
    Order.objects.create(pk=UUID(int=7), customer_id=order.customer_id, currency="EUR", total=0)
    drain()
    assert Receipt.objects.get(pk=dead_letter.pk).outcome == "done"
    assert Order.objects.get(pk=UUID(int=7)).status == "confirmed"


def test_every_page_fits_a_phone_and_a_desktop_and_supports_dark_mode(system, order, dead_letter):
    event = Receipt.objects.filter(handler="inventory.reserve_stock").get().event_id
    lists = [
        *("orders/order", "orders/catalogueitem", "users/user", "auth/group"),
        *(f"inventory/{name}" for name in ("product", "stock", "movement", "allocation", "reservation", "location")),
        *(f"bus/{name}" for name in ("event", "delivery", "receipt", "failure", "failurecount", "subscription")),
        *("bus/refusedmessage", "bus/auditentry"),
    ]
    details = [
        *(f"orders/order/{order.pk}", f"users/user/{order.customer_id}", "inventory/product/CUP"),
        *(f"bus/event/{event}", f"bus/delivery/{dead_letter.pk}"),
        *(f"inventory/stock/{Stock.objects.get().pk}", f"inventory/movement/{Movement.objects.earliest('id').pk}"),
    ]
    paths = ["", *(f"{path}/" for path in lists), *(f"{path}/change/" for path in details)]
    paths += ["users/user/add/", "auth/group/add/", "orders/order/?q=nobody"]
    too_wide, too_bright = [], []
    with browsing(system.web(), width=PHONE, dark=True) as page:
        log_in(page)
        for path in paths:
            page.goto(f"/admin/{path}")
            expect(page.locator("html")).to_have_class(re.compile("dark"))
            for width in (PHONE, DESKTOP):
                page.set_viewport_size({"width": width, "height": 844})
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    too_wide.append((path, width))
            if page.evaluate(LIGHTNESS) > 0.3:
                too_bright.append(path)
    assert too_wide == []
    assert too_bright == []


#: The lightness of the page's background, from 0 to 1. Drawing it converts any CSS notation of a color to bytes.
LIGHTNESS = """() => {
    const dot = document.createElement("canvas").getContext("2d");
    dot.fillStyle = getComputedStyle(document.querySelector("#main")).backgroundColor;
    dot.fillRect(0, 0, 1, 1);
    const [red, green, blue] = dot.getImageData(0, 0, 1, 1).data;
    return (red + green + blue) / 3 / 255;
}"""
