"""Errors of MongoDB in one line, without passwords."""

from __future__ import annotations

import re
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

from screening.errors import DatabaseError, InputError, mask_secrets
from stores.connection import refused_option

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
        raise DatabaseError(_configuration(where, error)) from None
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


def _configuration(where: str, error: Exception) -> str:
    """Name the option that pymongo refuses; its own message may quote the connection string."""
    option = refused_option(error)
    problem = f"the option {option!r} is not accepted" if option else "an option is not accepted"
    if any(word in str(error) for word in ("DNS", "resolution", "SRV", "resolve")):
        problem = "the DNS knows no servers of that name (mongodb+srv asks the DNS)"
    return f"SCREENING_MONGO_URI cannot be used for {where}: {problem}"


def _safe(error: Exception) -> str:
    text = mask_secrets(" ".join(str(error).split()))
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


def _denied(error: OperationFailure) -> str:
    """Name database and command of 'not authorized on DB to execute command { NAME: ... }'."""
    match = re.search(r"not authorized on (\S+) to execute command \{ ?(\w+)", str(error))
    return f"{match[2]} on the database {match[1]!r}" if match else "no rights on that database"


def _operation(where: str, error: OperationFailure) -> str:
    if error.code == UNAUTHORIZED:
        return (
            f"MongoDB at {where} does not allow the user this operation (code {error.code}): "
            f"{_denied(error)}. Grant the user readWrite on that database, or name another one by "
            "SCREENING_DATABASE (the LaunchPad's database is SCREENING_DATABASE + '_fireworks')"
        )
    if error.code == AUTHENTICATION_FAILED:
        return f"MongoDB at {where} refused the user or password (code {error.code})"
    if error.code == OUT_OF_DISK_SPACE or "No space left" in str(error):
        return f"the disk of MongoDB at {where} is full: free some space, then `screening resume`"
    return f"MongoDB at {where}: {_safe(error)}"
