"""A mail server that refuses, hangs, or takes a mail and never says so. Mails are late; none is missing."""

from functools import partial
from typing import Any

from tests.faults.cluster import Cluster
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.system import eventually

#: Longer than EMAIL_TIMEOUT, after which a worker gives up on a server that is silent.
LONGER_THAN_TIMEOUT = 12
#: After twenty failures in a row a handler rests, 30 s at first: a mail may wait for the end of two rests.
MAIL_DRAINS = 120


def failures(cluster: Cluster, *, since: Any, error: str) -> int:
    """How many attempts to send a mail have failed with an error since a moment."""
    rows = cluster.sql(
        "SELECT count(*) FROM bus_failure WHERE handler LIKE 'users.email%%' AND failed_at > %s AND error LIKE %s",
        *(since, f"{error}%"),
    )
    return int(rows[0][0])


@fault("e-mail server refuses", area="mail", drains_within=MAIL_DRAINS, beside=True)
def refuses(cluster: Cluster, client: Client) -> None:
    """A mail is tried again later."""
    since = cluster.now()
    cluster.mail.become("refuse")
    try:
        client.grant(2)
        eventually(
            lambda: failures(cluster, since=since, error="ConnectionRefusedError"), within=20, what="a mail was refused"
        )
        cluster.last(5)
    finally:
        cluster.mail.become("answer")


@fault("e-mail server hangs", area="mail", seconds=LONGER_THAN_TIMEOUT, drains_within=MAIL_DRAINS, beside=True)
def hangs(cluster: Cluster, client: Client) -> None:
    """It takes the connection and says nothing: the worker gives up, and other queues notice nothing."""
    since = cluster.now()
    cluster.mail.become("hang")
    try:
        client.grant(2)
        eventually(cluster.mail.connected, within=20, what="a worker is connected")
        if not cluster.hurry:
            # smtplib's word for a greeting that did not come in time.
            gave_up = partial(failures, cluster, since=since, error="SMTPServerDisconnected")
            eventually(gave_up, within=MAIL_DRAINS, what="a worker gave up")
    finally:
        cluster.mail.become("answer")


@fault(
    "e-mail server accepts and never answers",
    area="mail",
    seconds=LONGER_THAN_TIMEOUT,
    drains_within=MAIL_DRAINS,
    beside=True,
)
def accepts_and_never_answers(cluster: Cluster, client: Client) -> None:
    """It has the mail, and nobody knows: it is sent again, under the same Message-ID."""
    before = cluster.mail.total()
    cluster.mail.become("mute")
    try:
        client.grant(2)
        eventually(lambda: cluster.mail.total() > before, within=20, what="a mail was taken")
        cluster.last(LONGER_THAN_TIMEOUT)
    finally:
        cluster.mail.become("answer")
    eventually(
        lambda: all(cluster.mail.taken[mail] > times for mail, times in list(cluster.mail.unanswered.items())),
        within=MAIL_DRAINS,
        what="each mail that was taken without an answer was sent again, under the same Message-ID",
    )
