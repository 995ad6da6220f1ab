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
]
