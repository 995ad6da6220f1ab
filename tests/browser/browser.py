"""A real browser for tests: it tells of every error in a page's console, and reaches no machine but this one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, expect, sync_playwright

from tests.services import need

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
#: Milliseconds that a page has to do what is expected of it; the machine may be busy with other tests.
PATIENCE = 30_000


def executable() -> str:
    """The browser's program; without one the test is skipped, or fails where nothing may be skipped."""
    found = next(filter(None, map(shutil.which, NAMES)), "")
    need(found, what=f"a browser, one of {', '.join(NAMES)}")
    return found


@contextmanager
def browsing(address: str, *, width: int = 1280, dark: bool = False) -> Iterator[Page]:
    """A page of a new browser. While it is open Django's ORM cannot be used here, as Playwright runs an event loop.

    At the end the page must have met no error, and asked for nothing from elsewhere.
    """
    program, trouble = executable(), []

    def refuse(route: Route) -> None:
        trouble.append(f"a request to {route.request.url}")
        route.abort()

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            context = browser.new_context(
                base_url=address,
                viewport={"width": width, "height": 844},
                color_scheme="dark" if dark else "light",
            )
            context.set_default_timeout(PATIENCE)
            context.route(lambda url: urlsplit(url).netloc != urlsplit(address).netloc, refuse)
            page = context.new_page()
            page.on("console", lambda message: message.type == "error" and trouble.append(message.text))
            page.on("pageerror", lambda error: trouble.append(str(error)))
            yield page
        finally:
            browser.close()
    assert not trouble, trouble
