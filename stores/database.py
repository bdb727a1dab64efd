"""One connection to all collections."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from jobflow import JobStore
from maggma.stores import GridFSStore, MongoStore
from pymongo import IndexModel, MongoClient, UpdateOne

from db_config import Settings, get_settings
from db_config.files import write_config_files
from db_config.mongod import EmbeddedServer
from screening.errors import DatabaseError
from screening.schemas import Document
from stores.collections import (
    BY_SCHEMA,
    COLLECTIONS,
    JOB_INDEXES,
    OPTIMADE_INDEXES,
    Collection,
    index_keys,
)
from stores.connection import describe_server
from stores.document_store import BlobStore, DocumentStore
from stores.errors import translate_errors
from stores.merging import merge_structures
from stores.migration import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from pymongo.collection import Collection as MongoCollection

D = TypeVar("D", bound=Document)
TIMEOUT_MS = 5000


class Database:
    """All collections of one MongoDB database, as documents.

    Attributes
    ----------
    settings
        The settings it was opened with.
    where
        The server, without credentials.
    """

    def __init__(self, settings: Settings, *, read_only: bool = False, keep: bool = False) -> None:
        self.settings = settings
        self._server = None
        if settings.mongo_uri is None:
            self._server = EmbeddedServer(settings)
            if read_only and not self._server.has_database:
                raise DatabaseError(
                    f"there is no database in {settings.data_dir}, the folder that "
                    "SCREENING_DATA_DIR (or the setting data_dir) names: check the folder, or make "
                    "a database with `screening run`"
                )
            self._server.attach(keep=keep)
            self._uri = self._server.uri("dashboard" if read_only else "screening")
        else:
            self._uri = settings.mongo_uri.get_secret_value()
        self.where = describe_server(self._uri)
        with self.guard():
            self._client: MongoClient[dict[str, Any]] = MongoClient(
                self._uri, serverSelectionTimeoutMS=TIMEOUT_MS, tz_aware=True
            )
            self._client.admin.command("ping")
            self._database = self._client[settings.database]
            if not read_only:
                self.ensure_indexes()
                upgrade(self._database)
        self._stores: dict[str, DocumentStore] = {}
        self.blobs = BlobStore(self._database)
        if not read_only:
            write_config_files(settings, self._uri)

    def guard(self) -> AbstractContextManager[None]:
        """Turn MongoDB's exceptions into DatabaseError inside a block."""
        embedded = self.settings.data_dir if self._server else None
        return translate_errors(self.where, embedded)

    def close(self) -> None:
        """Close the connection; the last user of the embedded server stops it."""
        self._client.close()
        if self._server is not None:
            self._server.detach()

    def size(self) -> int:
        """Bytes of all documents, unpacked, and of the indexes."""
        with self.guard():
            found = self._database.command("dbStats")
        return int(found["dataSize"] + found["indexSize"])

    def count(self, name: str, criteria: dict[str, Any] | None = None) -> int:
        """Count the documents that match; without criteria from the collection's own figures."""
        with self.guard():
            if criteria is None:
                return self._database[name].estimated_document_count()
            return self._database[name].count_documents(criteria)

    def raw(self, name: str) -> MongoCollection[dict[str, Any]]:
        """Return the pymongo collection, for aggregations."""
        return self._database[name]

    def store(self, name: str) -> DocumentStore:
        """Return one collection as a connected maggma store (for builders and scripts)."""
        if name not in self._stores:
            store = DocumentStore(
                self.settings.database, name, self._uri, key=COLLECTIONS[name].key
            )
            store.attach(self._client)
            self._stores[name] = store
        return self._stores[name]

    def job_store(self) -> JobStore:
        """Return jobflow's store on the same database."""
        arguments = {"database": self.settings.database, "uri": self._uri}
        return JobStore(
            MongoStore(collection_name="outputs", **arguments),
            additional_stores={"data": GridFSStore(collection_name="data", **arguments)},
        )

    def upsert(self, documents: Iterable[Document]) -> int:
        """Write documents of any kinds under their keys, in bulk; returns how many.

        A structure is merged with the one of its key (see `stores.merging`); other documents
        replace it.

        Raises
        ------
        DatabaseError
            If one is an emulator's and the settings do not allow it.
        """
        rows: dict[str, list[dict[str, Any]]] = {}
        for document in documents:
            self._refuse_emulated(document)
            rows.setdefault(BY_SCHEMA[type(document)].name, []).append(document.model_dump())
        with self.guard():
            for name, group in rows.items():
                if name == "structures":
                    merge_structures(self.raw(name), group, self.blobs.write)
                else:
                    self.store(name).update(group)
        return sum(len(group) for group in rows.values())

    def _refuse_emulated(self, document: Document) -> None:
        """Keep the numbers of an emulator of VASP out of results."""
        dft = getattr(document, "dft", None)
        if dft is not None and dft.emulated and not self.settings.allow_emulator:
            raise DatabaseError(
                "the numbers of an emulator of VASP mean nothing and are not kept among results: "
                "point ATOMATE2_VASP_CMD to VASP, or say SCREENING_ALLOW_EMULATOR=true for a "
                "database of tests"
            )

    def patch(self, schema: type[Document], changes: dict[str, dict[str, Any]]) -> None:
        """Set single fields of documents, by key; documents that do not exist are left alone."""
        collection = BY_SCHEMA[schema]
        operations: list[UpdateOne] = [
            UpdateOne({collection.key: key}, {"$set": fields}) for key, fields in changes.items()
        ]
        if operations:
            with self.guard():
                self._database[collection.name].bulk_write(operations, ordered=False)

    def get(self, schema: type[D], key: str, *, blobs: bool = True) -> D | None:
        """Return one document by its key, or None."""
        found = self.find(schema, {BY_SCHEMA[schema].key: key}, limit=1, blobs=blobs)
        return next(found, None)

    def get_many(self, schema: type[D], keys: Iterable[str], *, blobs: bool = True) -> list[D]:
        """Return documents by their keys, in the order of the keys; missing ones are left out."""
        wanted = list(keys)
        key = BY_SCHEMA[schema].key
        found = {
            getattr(doc, key): doc for doc in self.find(schema, {key: {"$in": wanted}}, blobs=blobs)
        }
        return [found[name] for name in wanted if name in found]

    def find(
        self,
        schema: type[D],
        criteria: dict[str, Any] | None = None,
        *,
        sort: dict[str, int] | None = None,
        limit: int = 0,
        blobs: bool = True,
    ) -> Iterator[D]:
        """Yield whole documents that match a MongoDB query."""
        store = self.store(BY_SCHEMA[schema].name)
        with self.guard():
            for row in store.query(criteria, {"_id": 0}, sort, limit=limit, blobs=blobs):
                yield schema.model_validate(row)

    def rows(
        self,
        name: str,
        criteria: dict[str, Any] | None = None,
        fields: Iterable[str] = (),
        *,
        sort: dict[str, int] | None = None,
        limit: int = 0,
        blobs: bool = False,
        max_time_ms: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield plain dictionaries with only the named fields; large ones only with `blobs`.

        A query that takes longer than `max_time_ms` is an InputError: it can be narrowed.
        """
        projection = {"_id": 0, **dict.fromkeys(fields, 1)}
        options: dict[str, Any] = {"max_time_ms": max_time_ms} if max_time_ms else {}
        with self.guard():
            yield from self.store(name).query(
                criteria, projection, sort, limit=limit, blobs=blobs, **options
            )

    def ensure_indexes(self) -> None:
        """Create the declared indexes; existing equal ones are left alone."""
        for name, key, indexes in _all_indexes():
            models = [IndexModel([(key, 1)], unique=True)] if key else []
            models += [IndexModel(index_keys(index)) for index in indexes]
            self._database[name].create_indexes(models)

    def missing_indexes(self) -> list[str]:
        """List declared indexes that the server does not have."""
        missing = []
        with self.guard():
            for name, key, indexes in _all_indexes():
                have = [
                    [(field, int(way)) for field, way in index["key"].items()]
                    for index in self._database[name].list_indexes()
                ]
                wanted = ([[(key, 1)]] if key else []) + [index_keys(index) for index in indexes]
                missing += [f"{name} {index}" for index in wanted if index not in have]
        return missing


def _all_indexes() -> Iterator[tuple[str, str | None, tuple[tuple[str, ...], ...]]]:
    for collection in COLLECTIONS.values():
        yield collection.name, collection.key, collection.indexes
    for name, indexes in JOB_INDEXES.items():
        yield name, None, indexes
    yield "optimade", "id", OPTIMADE_INDEXES


_open: dict[int, Database] = {}


def open_database(*, read_only: bool = False, keep: bool = False) -> Database:
    """Open the database that the settings name; one connection per process.

    Parameters
    ----------
    read_only
        Connect as the reading user (embedded server) and create nothing. Not shared.
    keep
        Let the embedded server run when this process ends.

    Raises
    ------
    DatabaseError
        If it cannot be reached or started.
    """
    if read_only:
        return Database(get_settings(), read_only=True)
    database = _open.get(os.getpid())
    if database is None or database.settings != get_settings():
        database = Database(get_settings(), keep=keep)
        _open[os.getpid()] = database
    elif keep and database._server is not None:  # noqa: SLF001 - this module's own class
        database._server.attach(keep=True)  # noqa: SLF001
    return database


def close_database() -> None:
    """Close this process's connection, if there is one."""
    database = _open.pop(os.getpid(), None)
    if database is not None:
        database.close()


__all__ = ["Collection", "Database", "close_database", "open_database"]
