"""The JSON parser."""

from collections.abc import Mapping
from typing import IO, Any

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class JSONParser(BaseParser):
    """Reads JSON in UTF-8; refuses NaN, lone surrogates, huge numbers and deep nesting with ParseError."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return msgspec.json.decode(stream.read())
        except RecursionError as error:
            raise ParseError("The body is nested too deeply. Send a JSON object as the documentation shows.") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ParseError(f"The body is not valid JSON: {error}. Send a JSON object in UTF-8.") from error
