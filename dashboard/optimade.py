"""The OPTIMADE API, served by the library `optimade` from the collection `optimade`.

The library would open its own connection from a URI and write that into its log. It is made with a
store in memory instead, and then given our collection, behind a door that only reads, never waits
long, and does not tell where the database is.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders

from screening import __version__
from screening.errors import DatabaseError, InputError
from stores.filters import check_bounds, filter_parser, literal_transformer
from stores.optimade import PREFIX, PROVIDER_FIELDS
from stores.read_only import ReadingDoor

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from stores import Database

PATH = "/optimade"
LANDING_PAGE = Path(__file__).parent / "templates" / "optimade.html"
"""The library's own page asks other hosts for its logo and its style."""
PUBLISHED = datetime(2026, 1, 1, tzinfo=UTC)


REFERENCES = (
    {
        "id": "chgnet",
        "title": "CHGNet as a pretrained universal neural network potential for charge-informed "
        "atomistic modelling",
        "doi": "10.1038/s42256-023-00716-3",
        "year": "2023",
        "journal": "Nature Machine Intelligence",
        "authors": [{"name": "Bowen Deng"}],
    },
    {
        "id": "phonopy",
        "title": "Implementation strategies in phonopy and phono3py",
        "doi": "10.1088/1361-648X/acd831",
        "year": "2023",
        "journal": "Journal of Physics: Condensed Matter",
        "authors": [{"name": "Atsushi Togo"}],
    },
    {
        "id": "smact",
        "title": "SMACT: Semiconducting Materials by Analogy and Chemical Theory",
        "doi": "10.21105/joss.01361",
        "year": "2019",
        "journal": "Journal of Open Source Software",
        "authors": [{"name": "Daniel W. Davies"}],
    },
)
"""Papers of the methods behind the energies, phonons and verdicts; the first author of each."""


class Parser:
    """Reads filters; one that cannot be read is the asker's error."""

    def parse(self, text: str) -> Any:
        """Parse a filter."""
        from lark.exceptions import UnexpectedInput
        from optimade.exceptions import BadRequest

        try:
            check_bounds(text)
            return filter_parser().parse(text)
        except InputError as error:
            raise BadRequest(detail=str(error)) from None
        except UnexpectedInput as error:
            where = " ".join(error.get_context(text).split())
            raise BadRequest(detail=f"the filter cannot be read near {where!r}") from None


class SameHost:
    """Tells the application below the host of its own address, whatever the browser calls it.

    The library cuts its own address off those of requests by length.
    """

    def __init__(self, app: ASGIApp, address: str) -> None:
        parts = urlsplit(address)
        self.app = app
        self.scheme = parts.scheme
        self.host = parts.netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            scope = {**scope, "scheme": self.scheme, "headers": list(scope["headers"])}
            MutableHeaders(scope=scope)["host"] = self.host
        await self.app(scope, receive, send)


def create_optimade(database: Database, address: str) -> ASGIApp:
    """Build the OPTIMADE application.

    Parameters
    ----------
    database
        The database.
    address
        Where the dashboard is found, such as ``http://127.0.0.1:8050``.
    """
    _quiet()
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    config = ServerConfig(
        debug=False,
        insert_test_data=False,
        database_backend="mongomock",
        base_url=address.rstrip("/") + PATH,
        custom_landing_page=LANDING_PAGE,
        provider={
            "prefix": PREFIX,
            "name": "Screening",
            "description": "Crystals found by the campaigns of one installation of Screening",
            "homepage": None,
        },
        implementation={"name": "crystal-screening", "version": __version__},
        provider_fields={
            "structures": [
                {
                    "name": name,
                    "type": kind,
                    "description": text,
                    **({"unit": unit} if unit else {}),
                }
                for name, (kind, text, unit) in PROVIDER_FIELDS.items()
            ]
        },
    )
    app = create_app(config)
    published = {"type": "references", "last_modified": PUBLISHED}
    references = app.state.entry_collections["references"]
    if not len(references):  # the store in memory is one for all applications of a process
        references.insert([{**r, **published} for r in REFERENCES])
    entries = app.state.entry_collections["structures"]
    entries.collection = ReadingDoor(database)
    entries.parser = Parser()
    entries.transformer = literal_transformer(entries.resource_mapper)
    app.add_exception_handler(DatabaseError, _unavailable)
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    return SameHost(app, address)


def _unavailable(request: Request, error: Exception) -> Response:
    """Answer without the name of the server, which the error tells."""
    from optimade.server.exception_handlers import general_exception

    del error
    answer: Response = general_exception(request, RuntimeError("the database does not answer"), 503)
    return answer


def _refused(request: Request, error: Exception) -> Response:
    """Answer 400 to a question that cannot be answered, and say which part of it is wrong."""
    from optimade.exceptions import BadRequest
    from optimade.server.exception_handlers import general_exception

    detail = str(error)
    if isinstance(error, RequestValidationError):
        detail = "; ".join(
            f"{item['loc'][-1]}={item['input']!r}: {item['msg']}" for item in error.errors()[:3]
        )
    answer: Response = general_exception(request, BadRequest(detail=detail), 400)
    return answer


def _quiet() -> None:
    """Give the library's logger a handler, so that it does not make files in /var/log."""
    logger = logging.getLogger("optimade")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
