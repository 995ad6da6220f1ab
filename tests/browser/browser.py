"""A real browser for tests: it reports every error in a page's console and blocks requests to other hosts."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Route, expect, sync_playwright

from tests.services import need

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
#: Long, because the machine may be busy with other tests.
TIMEOUT_MS = 30_000


def executable() -> str:
    """The path of the browser. Without a browser the test is skipped, or fails if `REQUIRE_SERVICES` is set."""
    found = next(filter(None, map(shutil.which, NAMES)), "")
    need(found, what=f"a browser, one of {', '.join(NAMES)}")
    return found


@contextmanager
def browsing(address: str, *, width: int = 1280, dark: bool = False) -> Iterator[Page]:
    """A page of a new browser; afterwards, fail if it had errors or requested anything from another host.

    The ORM cannot be used inside the block, because Playwright runs an event loop.
    """
    program = executable()
    problems: list[str] = []

    def refuse(route: Route) -> None:
        problems.append(f"a request to {route.request.url}")
        route.abort()

    def note_error(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(message.text)

    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            context = browser.new_context(
                base_url=address,
                viewport={"width": width, "height": 844},
                color_scheme="dark" if dark else "light",
            )
            context.set_default_timeout(TIMEOUT_MS)
            context.route(lambda url: urlsplit(url).netloc != urlsplit(address).netloc, refuse)
            page = context.new_page()
            page.on("console", note_error)
            page.on("pageerror", lambda error: problems.append(str(error)))
            yield page
        finally:
            browser.close()
    assert not problems, problems
