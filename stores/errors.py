"""Errors of MongoDB in one line, without passwords."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)

from screening.errors import DatabaseError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUTHENTICATION_FAILED, UNAUTHORIZED, OUT_OF_DISK_SPACE = 18, 13, 14031
LOW_DISK = 300 * 1024 * 1024


@contextmanager
def translate_errors(where: str, data_dir: Path | None = None) -> Iterator[None]:
    """Turn pymongo's exceptions inside the block into DatabaseError.

    Parameters
    ----------
    where
        The server, without credentials.
    data_dir
        Folder of the embedded server, whose disk may be full.
    """
    try:
        yield
    except (InvalidURI, ConfigurationError) as error:
        raise DatabaseError(f"SCREENING_MONGO_URI cannot be used: {_safe(error)}") from None
    except ExecutionTimeout:
        raise InputError(
            "this takes too long to find: add an element, a chemical system or a narrower range"
        ) from None
    except ConnectionFailure as error:
        raise DatabaseError(_connection(where, data_dir, error)) from None
    except OperationFailure as error:
        raise DatabaseError(_operation(where, error)) from None
    except PyMongoError as error:
        raise DatabaseError(f"MongoDB at {where}: {_safe(error)}") from None


def _safe(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text.split(", Timeout:")[0].split(", full error:")[0][:300]


def _connection(where: str, data_dir: Path | None, error: Exception) -> str:
    if data_dir is not None:
        free = shutil.disk_usage(data_dir).free
        if free < LOW_DISK:
            return (
                f"the database stopped: {free // 2**20} MiB are free on the disk of {data_dir}; "
                "free some space, nothing that was saved is lost, then `screening resume`"
            )
        return (
            f"the embedded MongoDB at {where} does not answer ({_safe(error)}); the next command "
            f"starts it again, its log is {data_dir / 'mongodb' / 'mongod.log'}"
        )
    return (
        f"no MongoDB answers at {where}: {_safe(error)}; check SCREENING_MONGO_URI and the server"
    )


def _operation(where: str, error: OperationFailure) -> str:
    if error.code in {AUTHENTICATION_FAILED, UNAUTHORIZED}:
        return f"MongoDB at {where} refused the user or password (code {error.code})"
    if error.code == OUT_OF_DISK_SPACE or "No space left" in str(error):
        return f"the disk of MongoDB at {where} is full: free some space, then `screening resume`"
    return f"MongoDB at {where}: {_safe(error)}"
