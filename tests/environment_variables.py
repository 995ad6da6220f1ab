"""The environment variables that the settings read, found without the code that documents them."""

import re
from pathlib import Path

from django.conf import settings


def environment_variables() -> list[str]:
    sources = [path.read_text() for path in (Path(settings.BASE_DIR) / "project").glob("*.py")]
    return [name for source in sources for name in re.findall(r'\benv\.\w+\(\s*"(\w+)"', source)]
