"""Connection strings: checked before they are used, described without user and password."""

from __future__ import annotations

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from screening.errors import DatabaseError

SCHEMES = ("mongodb://", "mongodb+srv://")
ADVICE = (
    "write mongodb://USER:PASSWORD@HOST:PORT/, with each of : / ? # [ ] @ % in user or password "
    "percent-encoded (urllib.parse.quote_plus), and options as name=value joined by '&'"
)
OPTIONS = (
    "authMechanismProperties", "authMechanism", "authSource", "replicaSet", "readPreference",
    "readConcernLevel", "tlsCAFile", "tlsCertificateKeyFile", "tls", "ssl", "compressors",
    "loadBalanced", "directConnection", "wtimeout", "journal", "maxPoolSize",
)  # fmt: skip
"""Options of a connection string that messages may name."""


def refused_option(error: Exception) -> str | None:
    """Name the option that a message of pymongo is about, without the rest of the message."""
    text = str(error).casefold()
    return next((name for name in OPTIONS if name.casefold() in text), None)


def describe_server(uri: str) -> str:
    """Name the hosts of a connection string, without user and password.

    Messages of pymongo quote pieces of the string, which may be pieces of a password where one of
    its characters was not escaped. None of them is passed on.

    Parameters
    ----------
    uri
        Connection string, `mongodb://...` or `mongodb+srv://...`.

    Returns
    -------
    Hosts with their ports, separated by commas.

    Raises
    ------
    DatabaseError
        If the string cannot be parsed, or asks for unacknowledged writes.

    Examples
    --------
    >>> describe_server("mongodb://reader:word@db.example:27018/?authSource=admin")
    'db.example:27018'
    """
    if not uri.startswith(SCHEMES):
        raise DatabaseError(f"SCREENING_MONGO_URI cannot be used: {ADVICE}")
    if uri.startswith(SCHEMES[1]):
        return _describe_srv(uri)
    try:
        parsed = parse_uri(uri, warn=False)
    except (PyMongoError, ValueError) as error:
        option = refused_option(error)
        problem = f"the option {option!r} has no value that is known" if option else ADVICE
        raise DatabaseError(f"SCREENING_MONGO_URI cannot be used: {problem}") from None
    if "@" in uri and parsed.get("username") is None:
        # an unescaped '/', '?' or '#' ended the credentials: the rest was taken for host and path
        raise DatabaseError(f"SCREENING_MONGO_URI holds a '@' behind its hosts: {ADVICE}")
    if parsed["options"].get("w") == 0:
        raise DatabaseError(
            "SCREENING_MONGO_URI asks for w=0, writes without acknowledgement: results could be "
            "lost unseen. Remove w=0, or use w=1 or w=majority"
        )
    return ",".join(
        str(host) if port is None else f"{host}:{port}" for host, port in parsed["nodelist"]
    )


def _describe_srv(uri: str) -> str:
    """Name the host of a `mongodb+srv` string; its servers are asked of the DNS later."""
    authority = uri.removeprefix(SCHEMES[1]).partition("/")[0].partition("?")[0]
    credentials, _, host = authority.rpartition("@")
    if "@" in uri and not credentials:
        raise DatabaseError(f"SCREENING_MONGO_URI holds a '@' behind its host: {ADVICE}")
    return host
