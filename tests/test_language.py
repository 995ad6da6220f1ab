"""The words of the project: plain English, and the field's names in place of those that only their author knew."""

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)
HERE = Path(__file__).resolve().relative_to(ROOT)

#: Phrases of a dialect. Plain English says: "has no", "n", "anyone who", "otherwise", "accept", "given".
PHRASES = (
    "is none",
    "are none of",
    "so many",
    "so-many",
    "whoever",
    "of which it was said",
    "be it that",
    "would else",
    "let pass",
    "in the light of",
    "what became of",
    "what came of",
    "of one's own",
    "nobody adds",
    "nobody changes",
)
#: Names that the code had once. The glossary has the terms that replaced them.
NAMES = (
    r"forget_marks",
    r"\bMark\(",
    r"bus\.marks",
    r"\bendings\b",
    r"\bfinish_external\b",
    r"\bgive_back\b",
    r"\bhand_back\b",
    r"\bHAND_BACK\b",
    r"bus\.bells",
    r"\bQueueFails\b",
    r"\bRhythm\b",
    r"\b_Rung\b",
    r"\brests_until\b",
    r"\btake_trial\b",
    r"\bend_trial\b",
    r"\bjournal\.(events|deliveries|delivery|failures|OWED)\b",
    r"operations[./]steps\b",
    r"\bsteps_of\b",
    r"\bShelf\b",
    r"\b_fill\(",
    r"\bTold\b",
    r"\bclass Of\b",
    r"\bclass (Selection|Pages|Table)\b",
    r"\bCHUNK\b",
    r"\b(ANSWER|FAREWELL|BELL_LIFE|TRIED_PER_BATCH)\b",
    r"\btests[./]controls\b",
    r"faults[./](own|armed|points|hands)\b",
    r"benchmarks[./](stage|sink|specs)\b",
    r"manage\.py (relay|bus_status|dead_letters|replay|pause|resume|retire_handler|prune_events|event_schemas)\b",
)
#: Where an old name is history, and must stay.
HISTORY = {
    "CHANGELOG.md": NAMES,
    "project/bus/migrations": (r"\brests_until\b",),
    "tests/migrations": (r"\brests_until\b",),
}


def texts() -> list[tuple[str, str]]:
    """The files that git knows, or would add, with what people read in them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    names = listed or [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".venv" not in path.parts]
    suffixes = {".py", ".md", ".html", ".toml", ".service", ".timer", ".env", ""}
    return [
        (name, (ROOT / name).read_text())
        for name in sorted(set(names))
        if Path(name).suffix in suffixes and Path(name) != HERE and (ROOT / name).is_file()
    ]


TEXTS = texts()


def found(pattern: str, *, but: tuple[str, ...] = ()) -> list[str]:
    """Each line that has a pattern, as path, number and text."""
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in TEXTS
        if not name.startswith(but or ("\0",))
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(pattern, line)
    ]


def test_there_is_something_to_read():
    assert len(TEXTS) > 300


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_text_has_a_phrase_of_the_old_dialect(phrase):
    # Across a line's end, too.
    pattern = r"\b" + r"\s+".join(map(re.escape, phrase.split())) + r"\b"
    assert [name for name, text in TEXTS if re.search(pattern, text)] == [], found(pattern.replace(r"\s+", " "))


@pytest.mark.parametrize("pattern", NAMES)
def test_no_file_has_a_name_that_was_replaced(pattern):
    history = tuple(place for place, names in HISTORY.items() if pattern in names)
    assert found(pattern, but=history) == []
