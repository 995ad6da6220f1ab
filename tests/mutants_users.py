"""The safeguards of accounts that a review asked for, each with the change that disables it (see tests/mutants.py)."""

from tests.mutant import Mutant

USERS_MUTANTS: list[Mutant] = [
    Mutant(
        name="users: spellings of an address have one count of failures",
        file="users/addresses.py",
        old="text.strip().lower(),",
        new="text.strip(),",
        tests="tests/users/test_spellings.py::test_every_spelling_counts_for_the_one_account_that_it_finds",
    ),
    Mutant(
        name="users: the answer to a registration does not tell a taken address by its spelling",
        file="users/addresses.py",
        old="text.strip().lower(),",
        new="text.strip(),",
        tests="tests/users/test_spellings.py::test_every_spelling_gets_the_same_answer_whether_it_is_taken_or_free",
    ),
    Mutant(
        name="users: an unconfirmed account holds no stock",
        file="orders/tasks.py",
        old="    if event.confirmed or not settings.CONFIRM_EMAIL:\n",
        new="    if event.confirmed or settings.WELCOME_SKU:\n",
        tests="tests/test_welcome_orders.py::test_registrations_that_nobody_confirms_hold_no_stock",
    ),
    Mutant(
        name="users: an event tells whether its account is confirmed",
        file="users/signals.py",
        old=", confirmed=instance.email_confirmed_at is not None",
        new="",
        tests="tests/test_welcome_orders.py::test_registrations_that_nobody_confirms_hold_no_stock",
    ),
    Mutant(
        name="users: a superuser's confirmation opens the welcome order",
        file="users/confirmation.py",
        old="    publish(AddressConfirmed(user_id=user.pk))\n    record(",
        new="    record(",
        tests="tests/test_welcome_orders.py::test_each_way_to_confirm_an_address_opens_one_welcome_order_however_often_it_is_taken",
    ),
    Mutant(
        name="users: a new address ends the sessions",
        file="users/models.py",
        old="if self.email_changed or any(",
        new="if any(",
        tests="tests/users/test_sessions.py::test_a_change_of_password_or_address_or_a_deactivation_ends_all_sessions",
    ),
    Mutant(
        name="users: no access token works with an unconfirmed address",
        file="project/api/authentication.py",
        old="        if not api_settings.USER_AUTHENTICATION_RULE(user):",
        new="        if user is None:",
        tests="tests/users/test_sessions.py::test_no_access_token_works_until_a_new_address_is_confirmed",
    ),
    Mutant(
        name="users: a name has no domain after an emoji or a quotation mark",
        file="users/addresses.py",
        old="| \\S \\. [^\\W\\d_]{2,}    ",
        new="| [\\w)-] \\. [^\\W\\d_]{2,}",
        tests="tests/users/test_addresses.py::test_name_that_is_not_one_plain_line_is_refused",
    ),
]
