"""Fixtures for all tests: an isolated home, a MongoDB, a database per test, an emulated VASP."""

import os
import uuid
from pathlib import Path

import pytest

from db_config import get_settings, reset_settings
from db_config.mongod import EmbeddedServer
from vasp_emulator.fixtures import vasp, vasp_installation

__all__ = ["vasp", "vasp_installation"]  # fixtures


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """Give each test an empty home and working folder, and none of the user's settings."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("SCREENING_", "JOBFLOW_", "FW_CONFIG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SCREENING_PROCESSES", "1")
    monkeypatch.chdir(tmp_path)
    reset_settings()
    yield
    reset_settings()


@pytest.fixture(scope="session")
def server_dir(tmp_path_factory) -> Path:
    """Folder of an embedded MongoDB that lives as long as the session."""
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCREENING_DATA_DIR", str(folder))
        reset_settings()
        server = EmbeddedServer(get_settings())
        server.attach()
    reset_settings()
    yield folder
    server.stop()  # whoever still uses it: a failed test may hold a database open
    server.detach()


@pytest.fixture
def mongo(server_dir, monkeypatch):
    """Point the settings at an empty database on the session's server."""
    monkeypatch.setenv("SCREENING_DATA_DIR", str(server_dir))
    monkeypatch.setenv("SCREENING_DATABASE", f"test-{uuid.uuid4().hex[:12]}")
    reset_settings()
    return get_settings()


@pytest.fixture(scope="module")
def shared_database(server_dir):
    """A database that the tests of a module share, for tests that only read."""
    from stores import Database

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCREENING_DATA_DIR", str(server_dir))
        patch.setenv("SCREENING_DATABASE", f"test-{uuid.uuid4().hex[:12]}")
        reset_settings()
        opened = Database(get_settings())
    reset_settings()
    yield opened
    opened._client.drop_database(opened.settings.database)
    opened.close()


@pytest.fixture
def database(mongo):
    """An empty database."""
    from stores import close_database, open_database

    opened = open_database()
    yield opened
    opened._client.drop_database(mongo.database)
    close_database()


@pytest.fixture
def earlier_database(database):
    """A database that an earlier version of the project wrote, as opening it leaves it."""
    from stored_database import load

    from stores.migration import upgrade

    load(database)
    upgrade(database._database)
    return database
