"""`screening potentials`, and where others see what is there: the doctor and the models page."""

import hashlib
import json
from dataclasses import replace

import pytest
from tiny_nequix import tiny_nequix

from db_config import get_settings
from screening.engines import potentials

CONTENT = tiny_nequix()


@pytest.fixture
def weights(monkeypatch, tmp_path, mongo):
    known = potentials.potentials()["nequix-oam-1"]
    known = replace(known, sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(potentials, "potentials", lambda: {"nequix-oam-1": known})
    monkeypatch.setenv("SCREENING_POTENTIAL_DIR", str(tmp_path / "weights"))
    get_settings.cache_clear()
    path = tmp_path / "downloaded.nqx"
    path.write_bytes(CONTENT)
    return path


def test_add_list_verify_and_a_damaged_file(screening, weights, tmp_path):
    code, out, _ = screening("potentials", "list", "--json")
    assert code == 0
    assert [row["state"] for row in json.loads(out)] == ["not here"]
    code, out, _ = screening("potentials", "add", weights)
    assert code == 0
    assert "licence MIT" in out
    assert "`engine: nequix-oam-1`" in out
    code, out, _ = screening("db", "doctor", "--json")
    rows = {row["check"]: row for row in json.loads(out)}
    assert rows["potentials"]["finding"] == "nequix-oam-1"
    assert screening("potentials", "verify")[0] == 0
    (tmp_path / "weights" / "nequix-oam-1.nqx").write_bytes(CONTENT[:-1])
    code, out, err = screening("potentials", "verify")
    assert code == 5
    assert "delete the file, then add or fetch it again" in err
    code, out, err = screening("db", "doctor", "--json")
    rows = {row["check"]: row for row in json.loads(out)}
    assert rows["potential nequix-oam-1"]["state"] == "bad"


def test_one_line_for_what_cannot_be_added_or_fetched(screening, weights, tmp_path):
    other = tmp_path / "other.nqx"
    other.write_bytes(b"{}")
    for arguments, message in (
        (("add", other), "is no known file"),
        (("add", tmp_path / "nothing"), "cannot read"),
        (("fetch", "nothing"), "no potential 'nothing'"),
    ):
        code, _, err = screening("potentials", *arguments)
        assert code == 2
        assert message in err
        assert len(err.strip().splitlines()) == 1


def test_the_models_page_lists_them(weights, database):
    from fastapi.testclient import TestClient

    from dashboard.app import create_app

    with TestClient(create_app(database), base_url="http://127.0.0.1") as client:
        text = client.get("/models").text
    assert "Potentials of others" in text
    assert "nequix-oam-1" in text
    assert "not here" in text
