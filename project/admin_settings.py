"""The settings of the admin: its menu, its links and its looks. project/settings.py imports them."""

from urllib.parse import quote

#: The tables of the admin's menu in sequence, each with its icon (https://fonts.google.com/icons).
ADMIN_MENU = {
    "orders.order": "receipt_long",
    "orders.catalogueitem": "menu_book",
    "inventory.product": "sell",
    "inventory.stock": "inventory_2",
    "inventory.movement": "swap_vert",
    "inventory.allocation": "assignment_turned_in",
    "inventory.reservation": "bookmark",
    "inventory.location": "warehouse",
    "users.user": "person",
    "users.mailcount": "mail",
    "auth.group": "group",
    "audit.change": "manage_history",
    "bus.event": "bolt",
    "bus.delivery": "pending_actions",
    "bus.receipt": "task_alt",
    "bus.failurecount": "error",
    "bus.failure": "bug_report",
    "bus.refusedmessage": "block",
    "bus.subscription": "hub",
    "bus.auditentry": "history",
}
#: The admin page that a field of an event links to.
BUS_ADMIN_PAGES = {
    "order_id": "orders_order",
    "customer_id": "users_user",
    "user_id": "users_user",
    "sku": "inventory_product",
}
# An open box. As a data: URL, because otherwise the browser requests /favicon.ico.
ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f766e"/>'
    '<path d="M7 12l9-5 9 5v9l-9 5-9-5zM7 12l9 5 9-5M16 17v9" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)
UNFOLD = {
    "SITE_TITLE": "Orderly",
    "SITE_HEADER": "Orderly",
    "SITE_SUBHEADER": "Times are UTC",
    "SITE_SYMBOL": "deployed_code",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": ICON}],
    "SIDEBAR": {"navigation": "project.adminkit.menu.menu"},
    "LOGIN": {"form": "project.api.login.LogInForm"},
    # Teal; dark enough on white for links (600), light enough on black (500).
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.7)",
            "100": "oklch(95.3% .051 180.8)",
            "200": "oklch(91% .096 180.4)",
            "300": "oklch(85.5% .138 181.1)",
            "400": "oklch(77.7% .152 181.9)",
            "500": "oklch(70.4% .14 182.5)",
            "600": "oklch(51.1% .096 186.4)",
            "700": "oklch(43.7% .078 188.2)",
            "800": "oklch(38.6% .063 188.4)",
            "900": "oklch(32% .055 190)",
            "950": "oklch(27.7% .046 192.5)",
        },
    },
}
