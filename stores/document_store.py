"""A maggma store that writes documents in bulk and keeps what is large in GridFS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gridfs
from bson.raw_bson import RawBSONDocument
from gridfs.errors import FileExists, NoFile
from maggma.stores import MongoStore
from pymongo import ReplaceOne
from pymongo.errors import DuplicateKeyError

from screening.errors import DatabaseError
from stores.encoding import decode_document, encode_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maggma.core import Sort
    from pymongo import MongoClient
    from pymongo.database import Database as MongoDatabase

BULK = 500


class BlobStore:
    """Bytes under their SHA-256, in the GridFS bucket ``blobs``."""

    def __init__(self, database: MongoDatabase[dict[str, Any]]) -> None:
        self._files = gridfs.GridFS(database, collection="blobs")

    def write(self, digest: str, data: bytes) -> None:
        """Store `data` once; an interrupted earlier write is replaced."""
        if self._files.exists(digest):
            return
        try:
            self._files.put(data, _id=digest)
        except (FileExists, DuplicateKeyError):
            if not self._files.exists(digest):  # chunks of a write that was killed
                self._files.delete(digest)
                self._files.put(data, _id=digest)

    def read(self, digest: str) -> bytes:
        """Read the bytes of `digest`."""
        try:
            data: bytes = self._files.get(digest).read()
        except NoFile:
            raise DatabaseError(
                f"blob {digest} is missing: `screening db doctor` lists such"
            ) from None
        return data


class DocumentStore(MongoStore):
    """A MongoStore of one of our collections.

    `update` replaces whole documents under their key, in bulk; arrays and whatever is large go to
    GridFS by themselves; `query` reads them back unless ``blobs=False``.
    """

    def __init__(self, database: str, collection_name: str, uri: str, **kwargs: Any) -> None:
        super().__init__(database, collection_name, uri=uri, **kwargs)
        self._blobs: BlobStore | None = None

    @property
    def name(self) -> str:
        """Name without the connection string, which holds a password."""
        return f"mongo://{self.database}/{self.collection_name}"

    def attach(self, client: MongoClient[dict[str, Any]]) -> None:
        """Use a connection that is open already."""
        self._coll = client[self.database][self.collection_name]

    @property
    def blobs(self) -> BlobStore:
        """Where this store's large fields are."""
        if self._blobs is None:
            self._blobs = BlobStore(self._collection.database)
        return self._blobs

    def update(self, docs: list[dict[str, Any]] | dict[str, Any], key: Any = None) -> None:
        """Replace or insert whole documents under their key.

        Parameters
        ----------
        docs
            One or many documents as dictionaries; numpy arrays are welcome.
        key
            Another key than the store's own.
        """
        field = key or self.key
        rows = [docs] if isinstance(docs, dict) else docs
        for start in range(0, len(rows), BULK):
            operations: list[ReplaceOne[dict[str, Any]]] = [
                ReplaceOne(
                    {field: row[field]},
                    RawBSONDocument(encode_document(row, self.blobs.write)),
                    upsert=True,
                )
                for row in rows[start : start + BULK]
            ]
            self._collection.bulk_write(operations, ordered=False)

    def query(  # noqa: PLR0917 - maggma's signature
        self,
        criteria: dict[str, Any] | None = None,
        properties: dict[str, Any] | list[str] | None = None,
        sort: dict[str, Sort | int] | None = None,
        hint: dict[str, Sort | int] | None = None,
        skip: int = 0,
        limit: int = 0,
        *,
        blobs: bool = True,
        **kwargs: Any,
    ) -> Iterator[dict[str, Any]]:
        """Yield documents; see maggma for the arguments.

        Parameters
        ----------
        blobs
            Read fields back from GridFS; otherwise they stay ``{"@blob": ...}``.
        """
        rows: Iterable[dict[str, Any]] = super().query(
            criteria, properties, sort, hint, skip, limit, **kwargs
        )
        read = self.blobs.read if blobs else None
        for row in rows:
            yield decode_document(row, read)
