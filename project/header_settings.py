"""The settings of HTTPS, cookies and what a page may load. project/settings.py imports them."""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from project.environment import DEBUG, env
from project.security_settings import NUM_PROXIES

# Forms carry the CSRF token, so no script needs its cookie.
CSRF_COOKIE_HTTPONLY = True
# A log-in to the admin ends after 12 hours.
SESSION_COOKIE_AGE = 12 * 60 * 60
# A proxy says in this header whether its client spoke HTTPS; without a proxy, any client could.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if NUM_PROXIES else None

if not DEBUG:
    # Whether cookies are sent over HTTPS only; ignored with DEBUG. Turn it off only where HTTPS is not available.
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=True)
    # For how many seconds a browser that saw the site over HTTPS refuses HTTP (HSTS); 0 does not tell it. Ignored with
    # DEBUG.
    SECURE_HSTS_SECONDS: int = env.int("HSTS_SECONDS", default=31_536_000)
    if SECURE_HSTS_SECONDS < 0:
        raise ImproperlyConfigured("HSTS_SECONDS must be 0 or more. Correct it, or remove it.")
    # Whether this also holds for all subdomains of the site's host. Turn it on if each of them has HTTPS.
    SECURE_HSTS_INCLUDE_SUBDOMAINS: bool = env.bool("HSTS_SUBDOMAINS", default=False)
    # Without a proxy there is no HTTPS to redirect to.
    SECURE_SSL_REDIRECT = bool(NUM_PROXIES) and SESSION_COOKIE_SECURE
    # Load balancers ask these over HTTP.
    SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]
    if SESSION_COOKIE_SECURE:
        # With this prefix, browsers take the cookie from this host over HTTPS alone, and from no subdomain.
        SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    # Checks of `check --deploy` that only the operator of a domain can answer: HSTS for subdomains (HSTS_SUBDOMAINS)
    # and in the list that browsers ship with. The redirect is on wherever a proxy speaks HTTPS.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021", *([] if NUM_PROXIES else ["security.W008"])]

# What the pages of the admin, and any other page without a policy of its own, may load: only what this server sends.
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        # Unfold's pages are made with Alpine.js, which evaluates the expressions in their attributes. Inline scripts
        # and handlers stay forbidden.
        "script-src": [SELF, UNSAFE_EVAL],
        # Unfold has its colours in a <style> of each page, and styles in attributes; so have our tracebacks.
        "style-src": [SELF, UNSAFE_INLINE],
        # Icons are data: URLs.
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
