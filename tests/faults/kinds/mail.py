"""A mail server that refuses, hangs, or accepts a mail and never answers: mails are late, and no mail is missing."""

from functools import partial
from typing import Any

from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.system import eventually

#: Longer than EMAIL_TIMEOUT, after which a worker gives up on a silent server.
LONGER_THAN_TIMEOUT_S = 12
#: After twenty failures in a row the circuit opens, for 30 s at first: a mail may wait until it has opened twice.
MAIL_DRAIN_LIMIT_S = 120


def failures(cluster: Cluster, *, since: Any, error: str) -> int:
    """How many attempts to send a mail have failed with an error since this time."""
    rows = cluster.sql(
        "SELECT count(*) FROM bus_failure WHERE handler LIKE 'users.email%%' AND failed_at > %s AND error LIKE %s",
        *(since, f"{error}%"),
    )
    return int(rows[0][0])


@fault("e-mail server refuses", area="mail", drain_limit_s=MAIL_DRAIN_LIMIT_S, concurrent=True)
def refuses(cluster: Cluster, client: Client) -> None:
    """A mail is retried later."""
    since = cluster.now()
    cluster.mail.set_mode("refuse")
    try:
        client.grant(2)
        eventually(
            lambda: failures(cluster, since=since, error="ConnectionRefusedError"), within=20, what="a mail is refused"
        )
        cluster.hold(5)
    finally:
        cluster.mail.set_mode("answer")


@fault(
    "e-mail server hangs", area="mail", seconds=LONGER_THAN_TIMEOUT_S, drain_limit_s=MAIL_DRAIN_LIMIT_S, concurrent=True
)
def hangs(cluster: Cluster, client: Client) -> None:
    """It accepts the connection and says nothing: the worker gives up, and other queues do not notice."""
    since = cluster.now()
    cluster.mail.set_mode("hang")
    try:
        client.grant(2)
        eventually(cluster.mail.has_client, within=20, what="a worker is connected")
        if not cluster.is_shortened:
            # smtplib's error for a greeting that did not come in time.
            gave_up = partial(failures, cluster, since=since, error="SMTPServerDisconnected")
            eventually(gave_up, within=MAIL_DRAIN_LIMIT_S, what="a worker gives up")
    finally:
        cluster.mail.set_mode("answer")


@fault(
    "e-mail server accepts and never answers",
    area="mail",
    seconds=LONGER_THAN_TIMEOUT_S,
    drain_limit_s=MAIL_DRAIN_LIMIT_S,
    concurrent=True,
)
def accepts_and_never_answers(cluster: Cluster, client: Client) -> None:
    """It has the mail, but no worker knows: the mail is sent again, under the same Message-ID."""
    before = cluster.mail.accepted_count()
    cluster.mail.set_mode("mute")
    try:
        client.grant(2)
        eventually(lambda: cluster.mail.accepted_count() > before, within=20, what="a mail is accepted")
        cluster.hold(LONGER_THAN_TIMEOUT_S)
    finally:
        cluster.mail.set_mode("answer")
    eventually(
        lambda: all(cluster.mail.accepted[mail] > times for mail, times in list(cluster.mail.unanswered.items())),
        within=MAIL_DRAIN_LIMIT_S,
        what="each unanswered mail is sent again, under the same Message-ID",
    )
