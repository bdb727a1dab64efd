"""Errors as answers: a line of JSON for programs, a page for people."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from dashboard.pages.templating import render
from screening.errors import DatabaseError, InputError, ScreeningError

if TYPE_CHECKING:
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


def register_errors(app: FastAPI) -> None:
    """Answer every error of the application."""

    def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _answer(request, 422, "; ".join(_explain(item) for item in error.errors()[:3]))

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _answer(request, error.status_code, str(error.detail))

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


def _answer(request: Request, status: int, detail: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": detail}, status)
    title = TITLES.get(status, "Something went wrong")
    return render(request, "error.html.j2", status=status, title=title, detail=detail)
