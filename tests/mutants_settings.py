"""The safeguards of environment variables (tests/mutants.py)."""

from tests.mutant import Mutant

HOSTILE = "tests/console/test_hostile_settings.py::"

SETTINGS_MUTANTS = [
    Mutant(
        name="settings: the cause of a wrong URL is not told",
        file="project/addresses.py",
        old="        # Its text has a part of the value in it.\n        is_right = False",
        new="        raise",
        tests=f"{HOSTILE}test_a_url_that_no_parser_reads_as_it_is_meant_is_refused_without_its_value",
    ),
    Mutant(
        name="settings: an @ after an unescaped slash",
        file="project/addresses.py",
        old='and "@" not in parts.path + parts.query',
        new="",
        tests=f"{HOSTILE}test_a_url_that_no_parser_reads_as_it_is_meant_is_refused_without_its_value",
    ),
    Mutant(
        name="settings: the parser of Celery reads BROKER_URL",
        file="project/addresses.py",
        old="            Connection(url)\n",
        new="            pass\n",
        tests=f"{HOSTILE}test_a_url_that_no_parser_reads_as_it_is_meant_is_refused_without_its_value",
    ),
    Mutant(
        name="settings: libpq knows the options of DATABASE_URL",
        file="project/addresses.py",
        old="        make_conninfo(**options)",
        new="        pass",
        tests=f"{HOSTILE}test_a_url_that_no_parser_reads_as_it_is_meant_is_refused_without_its_value",
    ),
    Mutant(
        name="settings: a program prints no traceback",
        file="project/__init__.py",
        old='EXIT_CODES = {"celery.bin.celery": 2, "gunicorn.app.base": 3}',
        new="EXIT_CODES: dict[str, int] = {}",
        tests=f"{HOSTILE}test_each_program_says_in_one_line_that_a_url_is_wrong",
    ),
]
