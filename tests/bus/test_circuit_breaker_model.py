"""After any steps the circuit breaker is in the state of a simple model."""

from datetime import timedelta

from django.db.models.functions import Now
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from project.bus.models import Subscription
from project.bus.worker import circuit_breaker


def let_open_time_pass() -> None:
    Subscription.objects.filter(open_until__isnull=False).update(open_until=Now() - timedelta(seconds=60))


#: Runs of failures, most of them so long that two of them open the circuit, and other steps between.
STEPS = st.lists(st.tuples(st.sampled_from(["fail", "succeed", "time passes"]), st.integers(1, 25)), max_size=12).map(
    lambda runs: [step for step, times in runs for _ in range(times if step == "fail" else 1)]
)


class TestCircuitBreakerMatchesItsModel(TestCase):
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    @example(["fail"] * 20 + ["time passes", "fail", "time passes", "succeed"])
    def test_after_any_steps(self, steps):
        """The model: failures and openings in a row, and the state of the circuit. Impossible steps are skipped."""
        Subscription.objects.create(event_type="a", handler="bus.mail", queue="bus")
        failures = openings = 0
        state = "closed"
        for step in steps:
            probe = state == "half-open" and circuit_breaker.begin_probe(handler="bus.mail", seconds=30)
            if step == "time passes" and state == "open":
                let_open_time_pass()
                state = "half-open"
            elif step == "fail" and state != "open":
                assert probe == (state == "half-open")
                circuit_breaker.count_failure(handler="bus.mail", probe=probe)
                failures += 1
                if probe or failures >= 20:
                    openings, state = openings + 1, "open"
            elif step == "succeed" and state != "open":
                circuit_breaker.close(handlers=["bus.mail"])
                failures = openings = 0
                state = "closed"
            elif probe:
                let_open_time_pass()
            row = Subscription.objects.get(handler="bus.mail")
            assert (row.failures, row.openings, row.open_until is None) == (failures, openings, state == "closed")
