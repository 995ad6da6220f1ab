"""schemathesis calls every operation at the bounds of the OpenAPI description, and beyond them.

`make schemathesis` does it for minutes, with random calls and sequences of calls.
"""

import pytest
import schemathesis
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis.config import SchemathesisConfig

from tests.api.clients import new_user
from tests.api.schemathesis_checks import KINDS, check_operations, configuration
from tests.inventory.helpers import stocked

pytestmark = pytest.mark.once


# On a busy machine it takes a minute instead of ten seconds.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_agrees_with_the_description(kind, system):
    # schemathesis 4.32 calls a WSGI application with arguments that werkzeug does not know.
    system.environment["UNSAFE_CALLS_PER_MINUTE"] = "1000000"
    address = system.web()
    stocked("MUG", north=5, south=5)
    fields = KINDS[kind]
    token = "" if fields is None else str(AccessToken.for_user(new_user(**fields)))
    config = SchemathesisConfig.from_dict(configuration(token=token, phases=("examples", "coverage")))
    schema = schemathesis.openapi.from_url(f"{address}/api/schema/", config=config)
    findings = check_operations(schema)
    assert findings.examples == {}
    assert findings.server_errors == 0
    assert findings.statuses.total() > 500
    assert {200, 400, 405} <= set(findings.statuses)
