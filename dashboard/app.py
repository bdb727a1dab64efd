"""The web application: pages, JSON API and OPTIMADE in one process that only reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from dashboard import assets, optimade
from dashboard.api.routes import router as api
from dashboard.errors import ERRORS, register_errors
from dashboard.pages.downloads import router as downloads
from dashboard.pages.routes import router as pages
from dashboard.security import LOCAL_NAMES, HeadRequests, SecurityHeaders, TokenGate
from screening import __version__

if TYPE_CHECKING:
    from stores import Database

STATIC = Path(__file__).parent / "static"
GZIP_FROM = 1000


def create_app(
    database: Database,
    *,
    token: str | None = None,
    address: str = "http://127.0.0.1:8050",
) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    database
        The database; open it with ``read_only=True``.
    token
        What a request must know; None: everybody who reaches the port may read.
    address
        Where browsers find it. A request for another name than this one's or the local ones is
        refused, so that no foreign page can reach it by renaming itself.

    Returns
    -------
    The application; it serves everything from the installed package.
    """
    app = FastAPI(
        title="Screening",
        version=__version__,
        description="Read-only API of the discoveries, campaigns and models of one database.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere; /api lists the same
        redoc_url=None,
    )
    app.state.database = database
    app.state.bundle = assets.bundle()
    app.include_router(api, responses=ERRORS)
    app.include_router(downloads, responses=ERRORS)
    app.include_router(pages)
    app.mount(optimade.PATH, optimade.create_optimade(database, address))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    register_errors(app)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM)
    if token:
        app.add_middleware(TokenGate, token=token, address=address)
    name = urlsplit(address).hostname or LOCAL_NAMES[0]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL_NAMES, name])
    app.add_middleware(HeadRequests)
    app.add_middleware(SecurityHeaders)
    return app
