"""Errors as answers: a line of JSON for programs, a page for people."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from dashboard.api.models import ErrorAnswer
from dashboard.pages.templating import render
from screening.errors import DatabaseError, InputError, ScreeningError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

logger = logging.getLogger(__name__)
TITLES = {
    400: "That question cannot be answered",
    404: "Not found",
    405: "Only reading is possible",
    422: "That question cannot be answered",
    503: "The database does not answer",
}


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in (
        (401, "A token is needed"),
        (404, "There is no such thing"),
        (422, "The question cannot be answered as it is"),
        (503, "The database does not answer"),
    )
}
"""Answers of every address of the API beside its own."""
FILES = ("/discoveries.csv", "/discoveries.zip")


def register_errors(app: FastAPI) -> None:
    """Answer every error of the application."""

    def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _answer(request, 422, "; ".join(_explain(item) for item in error.errors()[:3]))

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _answer(request, error.status_code, str(error.detail), error.headers)

    def ours(request: Request, error: Exception) -> Response:
        if isinstance(error, InputError):
            return _answer(request, 422, str(error))
        logger.error("%s", error)  # names the server: for whoever runs it, not for browsers
        if isinstance(error, DatabaseError):
            return _answer(request, 503, "Try again; the output of the dashboard says more.")
        return _answer(request, 500, "The output of the dashboard says more.")

    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ScreeningError, ours)


def _explain(item: dict[str, Any]) -> str:
    name = ".".join(str(part) for part in item["loc"] if part not in {"query", "path"})
    return f"{name or 'the question'}: {item['msg']}"


def _for_programs(request: Request) -> bool:
    """Whether a program asks: at addresses of data and files, unless it is a browser."""
    path = request.url.path
    if path.startswith("/api/"):
        return True
    is_file = path in FILES or "/file." in path
    return is_file and "text/html" not in request.headers.get("accept", "")


def _answer(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    if _for_programs(request):
        return JSONResponse({"detail": detail}, status, headers=headers)
    title = TITLES.get(status, "Something went wrong")
    page = render(request, "error.html.j2", status=status, title=title, detail=detail)
    page.headers.update(headers or {})
    return page
