import numpy as np
import pytest

from db_config import reset_settings
from screening.errors import DatabaseError
from screening.schemas import PhononDoc, PhononVerdict, StructureDoc
from stores import close_database, open_database
from stores.blobs import missing_blobs, orphan_blobs
from stores.collections import COLLECTIONS


def phonon(structure_id, constants):
    return PhononDoc(
        structure_id=structure_id,
        engine="e",
        verdict=PhononVerdict.STABLE,
        tolerance=0.1,
        marginal_tolerance=0.5,
        supercell=[[2, 0, 0], [0, 2, 0], [0, 0, 2]],
        displacement=0.01,
        force_constants=constants,
    )


def test_documents_come_back(database, structure_doc, rocksalt):
    assert database.upsert([structure_doc]) == 1
    found = database.get(StructureDoc, structure_doc.structure_id)
    assert found.to_structure() == rocksalt
    assert found.relaxation == structure_doc.relaxation
    assert database.get(StructureDoc, "str-nothing") is None


def test_upserts_replace_and_never_double(database):
    for engine in ("first", "second"):
        document = phonon("str-a", np.zeros(1)).model_copy(update={"engine": engine})
        database.upsert([document] * 3)
    assert database.raw("phonons").count_documents({}) == 1
    assert database.get(PhononDoc, "str-a").engine == "second"


def test_many_keep_their_order(database, structure_doc):
    names = [f"str-{n:04d}" for n in range(1200)]
    database.upsert(structure_doc.model_copy(update={"structure_id": name}) for name in names)
    wanted = ["str-0700", "str-0001", "nothing", "str-1199"]
    found = database.get_many(StructureDoc, wanted)
    assert [doc.structure_id for doc in found] == ["str-0700", "str-0001", "str-1199"]


def test_large_arrays_go_to_gridfs_and_come_back(database):
    constants = np.random.default_rng(0).normal(size=(8, 512, 3, 3))  # 294 kB
    big = np.random.default_rng(1).normal(size=(500, 500, 3, 3))  # 18 MB: no BSON document
    database.upsert([phonon("str-a", constants), phonon("str-b", big)])
    np.testing.assert_array_equal(database.get(PhononDoc, "str-a").force_constants, constants)
    np.testing.assert_array_equal(database.get(PhononDoc, "str-b").force_constants, big)
    stored = database.raw("phonons").find_one({"structure_id": "str-b"})
    assert stored["force_constants"]["size"] == big.nbytes
    assert missing_blobs(database) == orphan_blobs(database) == []
    database.raw("phonons").delete_one({"structure_id": "str-b"})
    assert len(orphan_blobs(database)) == 1
    database.raw("blobs.files").delete_many({})
    assert missing_blobs(database) == ["phonons str-a"]
    with pytest.raises(DatabaseError, match="missing"):
        database.get(PhononDoc, "str-a")


def test_an_interrupted_blob_is_written_again(database):
    data = b"x" * 1_000_000
    database.blobs.write("digest", data)
    database.raw("blobs.files").delete_many({})  # killed before the file was entered
    database.blobs.write("digest", data)
    assert database.blobs.read("digest") == data


def test_indexes_are_there_and_missing_ones_are_named(database):
    assert database.missing_indexes() == []
    indexes = database.raw("materials").index_information()
    database.raw("materials").drop_index(next(name for name in indexes if name != "_id_"))
    assert len(database.missing_indexes()) == 1
    database.ensure_indexes()
    assert database.missing_indexes() == []


def test_patches_set_single_fields(database, structure_doc):
    database.upsert([structure_doc])
    database.patch(StructureDoc, {structure_doc.structure_id: {"duplicate_of": "str-x"}})
    database.patch(StructureDoc, {"str-nothing": {"duplicate_of": "str-x"}})
    found = database.get(StructureDoc, structure_doc.structure_id)
    assert found.duplicate_of == "str-x"
    assert found.formula == "MnS"
    assert database.raw("structures").count_documents({}) == 1


def test_stores_are_maggma_stores_that_show_no_password(database):
    for name in COLLECTIONS:
        store = database.store(name)
        assert "@" not in store.name
        assert "@" not in repr(store)
    assert database.store("materials").count() == 0


def test_the_reading_user_cannot_write(database, structure_doc):
    database.upsert([structure_doc])
    reader = open_database(read_only=True)
    assert reader.get(StructureDoc, structure_doc.structure_id) is not None
    with pytest.raises(DatabaseError, match="does not allow the user this operation"):
        reader.upsert([structure_doc])
    reader.close()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("mongodb://user:hunter2@127.0.0.1:9/", "no MongoDB answers at 127.0.0.1:9"),
        ("postgres://user:hunter2@host", "SCREENING_MONGO_URI cannot be used"),
    ],
)
def test_no_server_is_one_line_without_the_password(monkeypatch, uri, message):
    monkeypatch.setenv("SCREENING_MONGO_URI", uri)
    monkeypatch.setattr("stores.database.TIMEOUT_MS", 100)
    reset_settings()
    close_database()
    with pytest.raises(DatabaseError, match=message) as caught:
        open_database()
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
