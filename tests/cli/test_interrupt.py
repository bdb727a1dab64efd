"""Ctrl-C in the middle of a campaign."""

import signal
import time

from benchmarks.resume import CAMPAIGN, command, finish, materials
from db_config import Settings
from stores import Database


def wait_for_structures(folder, process):
    """Wait until structures are in the database: relaxations begin."""
    while process.poll() is None:
        if (folder / "data" / "mongodb" / "server.json").exists():
            database = Database(Settings(data_dir=folder / "data"))
            try:
                while process.poll() is None:
                    if database.raw("tasks").find_one({"stage": "structure", "state": "finished"}):
                        return
                    time.sleep(0.02)
            finally:
                database.close()
        time.sleep(0.02)


def test_ctrl_c_is_one_line_and_resume_goes_on(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    process = command(tmp_path, "run", "campaign.yaml", "--quiet")
    wait_for_structures(tmp_path, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert errors.decode().splitlines() == [
        f"note: a new, empty database was made in {tmp_path / 'data'}",
        "error: interrupted; what is finished is kept: `screening resume` goes on",
    ]
    assert not (tmp_path / "data" / "mongodb" / "db" / "mongod.lock").read_text()
    finish(command(tmp_path, "resume", "--quiet"))
    assert len(materials(tmp_path)) > 10
