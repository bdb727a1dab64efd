"""Weights that others publish: the table, the folder, downloads."""

import hashlib
import os
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from tiny_nequix import tiny_nequix

from screening.engines import engine_id, make_engine, potentials
from screening.engines.potentials import add, potential_folder, set_potential_folder, survey, verify
from screening.engines.potentials_fetch import fetch
from screening.errors import EngineError, InputError

CONTENT = tiny_nequix()
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def table(monkeypatch, tmp_path):
    """A table with the tiny network, once with and once without a known hash."""
    real = potentials.potentials()
    known = replace(real["nequix-oam-1"], sha256=DIGEST)
    rows = {"nequix-oam-1": known, "nequix-mp-1": real["nequix-mp-1"]}
    monkeypatch.setattr(potentials, "potentials", lambda: rows)
    monkeypatch.setenv("SCREENING_POTENTIAL_DIR", str(tmp_path / "potentials"))
    return rows


@pytest.fixture
def published(tmp_path):
    path = tmp_path / "download.nqx"
    path.write_bytes(CONTENT)
    return path


def test_the_table_names_origin_and_licence():
    rows = potentials.potentials()
    assert set(rows) == {"nequix-oam-1-pft", "nequix-oam-1", "nequix-omat-1", "nequix-mp-1"}
    for row in rows.values():
        assert row.url.startswith("https://")
        assert row.url.endswith(row.file)
        assert row.licence
        assert row.references
        assert row.sha256 is None or len(row.sha256) == 64


def test_add_checks_and_keeps_a_file(table, published):
    with pytest.raises(EngineError, match=r"fetch nequix-oam-1.*add FILE"):
        engine_id("nequix-oam-1")
    known, path = add(published)
    assert (known.name, path) == ("nequix-oam-1", potential_folder() / "nequix-oam-1.nqx")
    assert path.read_bytes() == CONTENT
    assert engine_id("nequix-oam-1") == make_engine("nequix-oam-1").name == "nequix-oam-1"
    assert [row["state"] for row in survey()] == ["here", "not here"]
    assert [row["state"] for row in verify()] == ["right"]


def test_a_file_without_a_known_hash_is_called_after_its_own(table, published):
    published.write_bytes(CONTENT + b"\n")
    digest = hashlib.sha256(CONTENT + b"\n").hexdigest()
    with pytest.raises(InputError, match="say --name"):
        add(published)
    with pytest.raises(InputError, match="no known file, not 'nequix-oam-1'"):
        add(published, "nequix-oam-1")
    add(published, "nequix-mp-1")
    assert engine_id("nequix-mp-1") == f"nequix-mp-1-{digest[:8]}"


def test_a_changed_file_is_not_used(table, published):
    _, path = add(published)
    path.write_bytes(CONTENT[:-1] + b"\1")
    with pytest.raises(EngineError, match="delete it and add it again"):
        make_engine("nequix-oam-1")
    assert survey()[0]["state"] == "wrong file"
    assert "is not the file of" in verify()[0]["state"]


def test_what_is_no_network_is_not_kept(table, published):
    published.write_bytes(b"something else")
    with pytest.raises(EngineError, match="not a Nequix file"):
        add(published, "nequix-mp-1")
    with pytest.raises(InputError, match="cannot read"):
        add(published.parent / "nothing.nqx")
    assert not (potential_folder() / "nequix-mp-1.nqx").exists()


def test_the_folder_is_passed_on_to_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREENING_POTENTIAL_DIR", "")
    monkeypatch.setenv("SCREENING_DATA_DIR", str(tmp_path))
    assert potential_folder() == tmp_path / "potentials"
    set_potential_folder(tmp_path / "elsewhere")
    assert os.environ["SCREENING_POTENTIAL_DIR"] == str(tmp_path / "elsewhere")
    assert potential_folder() == tmp_path / "elsewhere"


class Handler(BaseHTTPRequestHandler):
    """Serve the file, from where it is asked for."""

    starts: ClassVar[list[int]] = []
    content = CONTENT

    def do_GET(self):
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.starts.append(start)
        rest = self.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(table, monkeypatch):
    monkeypatch.setattr(Handler, "starts", [])
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{running.server_port}/file.nqx"
    for name, row in list(table.items()):
        table[name] = replace(row, url=address)
    yield running
    running.shutdown()
    running.server_close()


def test_fetch_goes_on_where_it_was_interrupted(server):
    folder = potential_folder()
    folder.mkdir()
    (folder / "nequix-oam-1.nqx.part").write_bytes(CONTENT[:1000])
    _, path = fetch("nequix-oam-1")
    assert path.read_bytes() == CONTENT
    assert Handler.starts == [1000]
    assert sorted(item.name for item in folder.iterdir()) == ["nequix-oam-1.nqx"]


def test_fetch_refuses_another_file(server, monkeypatch):
    monkeypatch.setattr(Handler, "content", tiny_nequix(scale=0.9))
    with pytest.raises(EngineError, match="another file than expected"):
        fetch("nequix-oam-1")
    assert list(potential_folder().iterdir()) == []


def test_fetch_without_a_hash_needs_one(server):
    with pytest.raises(InputError, match="--sha256"):
        fetch("nequix-mp-1")
    with pytest.raises(InputError, match="is nequix-oam-1, not 'nequix-mp-1'"):
        fetch("nequix-mp-1", DIGEST)
    with pytest.raises(InputError, match="known are"):
        fetch("nothing")


def test_fetch_without_a_network(table):
    table["nequix-oam-1"] = replace(table["nequix-oam-1"], url="http://127.0.0.1:9/file.nqx")
    with pytest.raises(EngineError, match=r"cannot download.*potentials add nequix-oam-1.nqx"):
        fetch("nequix-oam-1")
