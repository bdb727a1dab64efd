"""The server of the dashboard."""

from __future__ import annotations

import secrets
import socket
from contextlib import closing
from urllib.parse import urlsplit

from cli.formatting import console
from db_config import get_settings
from screening.errors import DatabaseError, InputError
from stores import close_database, open_database
from stores.optimade import build_optimade

LOOPBACK = "127.0.0.1"


def serve(port: int, *, wants_token: bool, url: str | None) -> None:
    """Serve until Ctrl-C, on the loopback interface only.

    Parameters
    ----------
    port
        Port; 0 takes a free one.
    wants_token
        Ask for the token of the settings, or for a new one.
    url
        Where browsers find it, if a proxy serves it.

    Raises
    ------
    InputError
        If the web libraries are missing, the port is taken, or `url` is not an address.
    """
    try:
        import uvicorn

        from dashboard.app import create_app
    except ModuleNotFoundError as error:
        raise InputError(
            f"the dashboard needs {error.name!r}: pip install 'crystal-screening[dashboard]'"
        ) from None

    secret = get_settings().dashboard_token
    token = secret.get_secret_value() if secret else None
    if wants_token and token is None:
        token = secrets.token_urlsafe(24)
    url = _checked(url) if url is not None else None
    listener = _listen(port)
    address = url or f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    with closing(listener), closing(open_database(read_only=True)) as database:
        _bring_up_to_date()
        app = create_app(database, token=token, address=address)
        shown = f"{address}/?token={token}" if token and not secret else address
        console.print(f"dashboard of {database.where}: {shown}", highlight=False, soft_wrap=True)
        console.print("Ctrl-C ends it; it only reads, and no other machine can reach it")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off"
        )
        uvicorn.Server(config).run(sockets=[listener])


def _checked(url: str) -> str:
    """Check the address that browsers see; without the last slash."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise InputError("--url must be an address such as https://screening.example.org")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise InputError(
            f"--url {url!r} has more than a host: the links of the pages begin at the root of the "
            f"host, so give it a name of its own, such as {parts.scheme}://screening.{parts.netloc}"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _bring_up_to_date() -> None:
    """Make the OPTIMADE entries of what is new, where this user may write.

    Campaigns do so when they end; this is for databases of before, and for structures.
    """
    try:
        build_optimade(open_database())
    except DatabaseError:
        return  # a user who may only read sees the entries that there are
    finally:
        close_database()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise InputError(
            f"port {port} cannot be used ({error.strerror}): give another with --port, or 0"
        ) from None
    return listener
