"""The one hierarchy of exceptions: faults of the caller or of the machine.

A bad structure or a rejected formula is never an exception: it is a document with a state and a
reason. Each message names the value, what is allowed, and what to do next, in one line.
"""

import re

_CREDENTIALS = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s'\"<>]*@", re.IGNORECASE)
_VALUES = re.compile(
    r"(?P<name>\b[\w-]*(?:password|passwd|token|secret|api[_-]?key)\b['\"]?\s*[=:]\s*['\"]?)"
    r"[^\s'\",;&]+",
    re.IGNORECASE,
)


def mask_secrets(text: str) -> str:
    """Hide user, password and tokens in a text that is stored or shown.

    Parameters
    ----------
    text
        Message of an exception, log line, ...

    Returns
    -------
    The text; credentials of addresses and values of passwords and tokens are '***'.

    Examples
    --------
    >>> mask_secrets("cannot reach mongodb://me:hunter2@db.example/x with token=abc123")
    'cannot reach mongodb://***@db.example/x with token=***'
    """
    return _VALUES.sub(r"\g<name>***", _CREDENTIALS.sub(r"\g<scheme>***@", text))


class ScreeningError(Exception):
    """Base class of all errors that are reported to the user in one line."""

    exit_code = 1


class InputError(ScreeningError):
    """The caller gave a value that cannot be used: a formula, a file, an option."""

    exit_code = 2


class ConfigError(InputError):
    """The settings or a campaign file are wrong."""


class DatabaseError(ScreeningError):
    """The database cannot be reached, started, or written to."""

    exit_code = 3


class CheckpointError(ScreeningError):
    """A checkpoint is missing, damaged, or does not fit the code that reads it."""

    exit_code = 4


class EngineError(ScreeningError):
    """An energy engine (potential or DFT code) is not installed or does not work."""

    exit_code = 5


class CampaignError(ScreeningError):
    """A campaign did not finish; what is done is kept and `screening resume` goes on."""

    exit_code = 6


class UserInterruptError(ScreeningError):
    """The user pressed Ctrl-C; the message says what is kept and how to go on."""

    exit_code = 130
