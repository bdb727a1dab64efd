"""`screening dashboard`: the web pages, the JSON API and OPTIMADE."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.serving import serve


def dashboard(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=0, max=65535)] = 8050,
    token: Annotated[
        bool,
        typer.Option("--token", help="Ask for a token; a new one unless the settings name one."),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(help="Where browsers find it, if a proxy serves it: https://..."),
    ] = None,
) -> None:
    """Serve campaigns, discoveries and models as web pages, JSON and OPTIMADE (read-only)."""
    serve(port, wants_token=token, url=url)
