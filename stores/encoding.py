"""Documents to BSON and back: arrays as binary, large ones in GridFS, nothing near 16 MB.

An array becomes ``{"@array": ..., dtype, shape}``; above `ARRAY_LIMIT` its bytes go to GridFS under
their own SHA-256 and the document keeps ``{"@blob": sha256, ...}``. A document that is still above
`DOCUMENT_LIMIT` sends its largest fields after them. Reading turns all of it back.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING, Any

import bson
import numpy as np
from pydantic import SecretStr

from screening.errors import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

ARRAY_LIMIT = 32 * 1024
"""Arrays with more bytes go to GridFS."""
DOCUMENT_LIMIT = 8 * 1024 * 1024
"""Largest BSON document that is written; MongoDB's own limit is 16 MiB."""
_TEXTS_OF_ERRORS = frozenset({"reason", "error"})
"""Fields that hold what an engine or a reader has raised."""
ARRAY, BLOB, FIELD = "@array", "@blob", "@field"


def encode_document(document: dict[str, Any], write: Callable[[str, bytes], None]) -> bytes:
    """Encode one document as BSON, offloading what is large.

    Parameters
    ----------
    document
        Plain values, numpy arrays and scalars, dates, enumerations.
    write
        Stores bytes under their SHA-256; must accept the same key again.

    Returns
    -------
    BSON of at most `DOCUMENT_LIMIT` bytes.
    """
    encoded = {str(key): _encode(_masked(key, value), write) for key, value in document.items()}
    content = bson.encode(encoded)
    if len(content) <= DOCUMENT_LIMIT:
        return content
    sizes = {key: len(bson.encode({"v": value})) for key, value in encoded.items()}
    for key in sorted(sizes, key=lambda name: -sizes[name]):
        data = bson.encode({"v": encoded[key]})
        encoded[key] = {BLOB: _store(data, write), FIELD: True, "size": len(data)}
        content = bson.encode(encoded)
        if len(content) <= DOCUMENT_LIMIT:
            break
    return content


def _masked(key: Any, value: Any) -> Any:
    """Hide secrets in what may be the text of a foreign exception."""
    if key in _TEXTS_OF_ERRORS and isinstance(value, str):
        return mask_secrets(value)
    if key == "reasons" and isinstance(value, dict):
        return {mask_secrets(str(reason)): n for reason, n in value.items()}
    return value


def _store(data: bytes, write: Callable[[str, bytes], None]) -> str:
    digest = hashlib.sha256(data).hexdigest()
    write(digest, data)
    return digest


def _encode(value: Any, write: Callable[[str, bytes], None]) -> Any:
    if isinstance(value, dict):
        return {str(key): _encode(_masked(key, item), write) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_encode(item, write) for item in value]
    if isinstance(value, np.ndarray):
        return _encode_array(value, write)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, SecretStr):
        raise TypeError("a secret must never be written to the database")
    return value


def _encode_array(array: np.ndarray[Any, Any], write: Callable[[str, bytes], None]) -> Any:
    array = np.ascontiguousarray(array)
    data = array.tobytes()
    head = {"dtype": array.dtype.str, "shape": list(array.shape)}
    if len(data) <= ARRAY_LIMIT:
        return {ARRAY: bson.Binary(data), **head}
    return {BLOB: _store(data, write), **head, "size": len(data)}


def decode_document(document: Any, read: Callable[[str], bytes] | None) -> Any:
    """Turn stored values back; without `read` the references to blobs stay as they are.

    Parameters
    ----------
    document
        What MongoDB returned.
    read
        Returns the bytes stored under a SHA-256.
    """
    if isinstance(document, dict):
        if ARRAY in document:
            return _array(bytes(document[ARRAY]), document)
        if BLOB in document and read is not None:
            data = read(document[BLOB])
            if document.get(FIELD):
                return decode_document(bson.decode(data)["v"], read)
            return _array(data, document)
        return {key: decode_document(value, read) for key, value in document.items()}
    if isinstance(document, list):
        return [decode_document(value, read) for value in document]
    return document


def _array(data: bytes, head: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(data, dtype=np.dtype(head["dtype"])).reshape(head["shape"]).copy()


def blob_references(document: Any) -> list[str]:
    """List the blobs that a stored document refers to."""
    if isinstance(document, dict):
        own = [document[BLOB]] if BLOB in document else []
        return own + [ref for value in document.values() for ref in blob_references(value)]
    if isinstance(document, list):
        return [ref for value in document for ref in blob_references(value)]
    return []
