import bson
import numpy as np
import pytest
from pydantic import SecretStr

from screening.schemas import Stage
from stores.encoding import (
    ARRAY_LIMIT,
    DOCUMENT_LIMIT,
    blob_references,
    decode_document,
    encode_document,
)


class Files(dict):
    def write(self, digest, data):
        self[digest] = data

    def read(self, digest):
        return self[digest]


def round_trip(document, files):
    return decode_document(bson.decode(encode_document(document, files.write)), files.read)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "bool", "c16"])
@pytest.mark.parametrize("shape", [(0,), (), (7,), (2, 3, 4), (400, 400)])
def test_arrays_come_back(dtype, shape):
    files = Files()
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    found = round_trip({"nested": [{"array": array}]}, files)["nested"][0]["array"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    assert bool(files) == (array.nbytes > ARRAY_LIMIT)


def test_strided_arrays_and_scalars():
    array = np.arange(20.0).reshape(4, 5)[::2, ::-1]
    found = round_trip({"a": array, "b": np.float64(2.5), "c": np.int32(3), "d": (1, 2)}, Files())
    np.testing.assert_array_equal(found["a"], array)
    assert (found["b"], found["c"], found["d"]) == (2.5, 3, [1, 2])


def test_equal_arrays_are_kept_once():
    files = Files()
    array = np.ones(100_000)
    encode_document({"a": array, "b": array.copy()}, files.write)
    assert len(files) == 1


def test_a_huge_document_without_arrays_is_offloaded_too():
    files = Files()
    document = {"key": "k", "small": 1, "rows": [{"text": "x" * 1000}] * 20_000, "n": [1.0] * 10}
    content = encode_document(document, files.write)
    assert len(content) < DOCUMENT_LIMIT
    stored = bson.decode(content)
    assert stored["key"] == "k"
    assert stored["small"] == 1
    assert blob_references(stored) == list(files)
    assert decode_document(stored, files.read) == document


def test_without_reading_blobs_the_references_stay():
    files = Files()
    content = encode_document({"a": np.zeros(100_000)}, files.write)
    lazy = decode_document(bson.decode(content), None)
    assert lazy["a"]["shape"] == [100_000]


def test_enumerations_are_texts_and_secrets_are_refused():
    assert round_trip({"stage": Stage.RELAX}, Files()) == {"stage": "relax"}
    with pytest.raises(TypeError, match="secret"):
        encode_document({"password": SecretStr("x")}, Files().write)


def test_reasons_and_errors_hide_what_an_exception_quoted():
    text = "RuntimeError: mongodb://user:secretpw@db.example/ token=abc123"
    document = {"reason": text, "relaxation": {"reason": text}, "reasons": {text: 2}, "n": text}
    stored = bson.decode(encode_document(document, lambda *_: None))
    assert "secretpw" not in str({name: stored[name] for name in stored if name != "n"})
    assert "abc123" not in stored["relaxation"]["reason"]
    assert "db.example" in stored["reason"]
