"""A collection for libraries that talk to MongoDB: they may only read, and not for long."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymongo.errors import OperationFailure

from stores.optimade import COLLECTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stores.database import Database

FIND_MS = 10_000
BAD_VALUE = 2
"""MongoDB's code of a question that cannot be answered, such as an order by two lists."""
COUNT_MS = 500


@contextmanager
def _askers_fault() -> Iterator[None]:
    """Answer 400 to a number beyond 64 bits and to an order that MongoDB cannot make."""
    from optimade.exceptions import BadRequest

    try:
        yield
    except OverflowError:
        raise BadRequest(detail="a number is beyond 64 bits") from None
    except OperationFailure as error:
        if error.code != BAD_VALUE:
            raise
        raise BadRequest(detail="entries cannot be put into this order") from None


class ReadingDoor:
    """The three questions that an OPTIMADE server asks a collection.

    Parameters
    ----------
    database
        The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collection = database.raw(COLLECTION)

    def find(self, *, filter: dict[str, Any] | None = None, **options: Any) -> Iterator[Any]:  # noqa: A002 - pymongo's name
        """Yield documents; one that is sought for longer than `FIND_MS` is an error."""
        options["max_time_ms"] = FIND_MS
        with self._database.guard(), _askers_fault():
            yield from self._collection.find(filter or {}, **options)

    def count_documents(self, filter: dict[str, Any], **options: Any) -> int:  # noqa: A002 - pymongo's name
        """Count matches for at most `COUNT_MS`.

        Raises
        ------
        pymongo.errors.ExecutionTimeout
            If it takes longer; the server then leaves the number out.
        """
        if not filter:
            return self.estimated_document_count()
        with _askers_fault():
            return self._collection.count_documents(filter, **{**options, "maxTimeMS": COUNT_MS})

    def estimated_document_count(self) -> int:
        """Count all documents, as the server's own books have it."""
        with self._database.guard():
            return self._collection.estimated_document_count()
