"""Lines of the log: for people, or as JSON for machines. Both say what they belong to, and neither tells a secret."""

import json
import logging
import re
from datetime import UTC, datetime

from telemetry import context

HIDDEN = "[hidden]"
_SECRETS = re.compile(
    r"""
      (?P<header>\b(?:proxy-)?(?:authorization|cookie)["']?\s*[:=]\s*b?["']?)[^\n"']+   # a header, to its end
    | (?P<field>(?:api[_-]?key|(?:secret|voter)_key|field_keys|password|passwd|secret|token)["']?\s*[:=]\s*b?["']?)
      [^\s"',;&]{4,}                                                                    # a field and its value
    | (?P<scheme>\bbearer\s+)[\w.~+/=-]{8,}
    | (?P<url>://[^\s:/@]*:)[^\s/@]+(?=@)                                               # the password in an address
    | \b(?:sk-|gsk_|hf_|xai-|AIza|hakem_)[\w-]{8,}                                      # keys that one knows by sight
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BREAKS = {10: "\\n", 13: "\\r", 9: "\\t"}
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127, 0x85, 0x2028, 0x2029)} | _BREAKS


def redacted(text: str) -> str:
    """Without what looks like a key, a password or a cookie. The last net: nothing should log one to begin with."""
    return _SECRETS.sub(lambda found: (found[found.lastgroup] if found.lastgroup else "") + HIDDEN, text)


class LineFormatter(logging.Formatter):
    """One line an event, the ids at its end; a traceback below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that `Formatter` calls
        """A message that holds line breaks must not look like two."""
        ids = " ".join(f"{name}={value}" for name, value in context.current().items())
        return super().formatMessage(record).translate(_CONTROL) + (f"  [{ids}]" if ids else "")


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **context.current(),
        }
        if record.exc_info:
            fields["error"] = redacted(self.formatException(record.exc_info))
        return json.dumps(fields)
