"""The lookup `words`, by which the admin searches names."""

import re
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup
from django.db.models.sql.compiler import SQLCompiler


@CharField.register_lookup
class HasWords(Lookup):
    """Matches a text that has, for each word searched for, a word that begins with it.

    On PostgreSQL, a migration of each searched column adds an index on exactly this expression. SQLite searches for the
    whole term, anywhere in the text.
    """

    lookup_name = "words"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """The condition on SQLite."""
        column, params = self.process_lhs(compiler, connection)
        pattern = f"%{connection.ops.prep_for_like_query(self.rhs)}%"
        return rf"{column} LIKE %s ESCAPE '\'", (*params, pattern)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """The condition on PostgreSQL."""
        column, params = self.process_lhs(compiler, connection)
        words = " & ".join(f"{word}:*" for word in re.findall(r"\w+", str(self.rhs)))
        return f"to_tsvector('simple', {column}) @@ to_tsquery('simple', %s)", (*params, words)
