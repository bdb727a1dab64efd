import os
import stat
import subprocess
import sys

from db_config.files import (
    config_folder,
    effective_launchpad,
    environment,
    launchpad_path,
    stray_config,
    write_config_files,
)


def test_files_are_private_and_name_the_database(mongo):
    folder = write_config_files(mongo, "mongodb://u:p@host/?authSource=admin")
    assert folder == config_folder(mongo)
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_jobflow_and_fireworks_read_them(database, mongo, tmp_path):
    """A fresh process finds our stores and our LaunchPad through the variables alone."""
    code = (
        "from jobflow import SETTINGS; from fireworks import LaunchPad\n"
        "store = SETTINGS.JOB_STORE; store.connect()\n"
        "store.docs_store._collection.insert_one({'uuid': 'u', 'index': 1})\n"
        "print(store.docs_store.database, type(store.additional_stores['data']).__name__)\n"
        "print(LaunchPad.auto_load().db.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment(mongo)},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[-2:] == [
        f"{mongo.database} GridFSStore",
        f"{mongo.database}_fireworks",
    ]
    assert database.raw("outputs").count_documents({}) == 1


def test_a_users_own_launchpad_is_pointed_to(mongo, tmp_path, monkeypatch):
    own = mongo.model_copy(update={"launchpad_file": tmp_path / "lp.yaml", "data_dir": tmp_path})
    folder = write_config_files(own, "mongodb://host")
    assert not (folder / "my_launchpad.yaml").exists()
    assert str(tmp_path / "lp.yaml") in (folder / "FW_config.yaml").read_text()


def test_fireworks_is_asked_which_launchpad_it_uses(mongo, tmp_path):
    """A FW_config.yaml of the folder or of the home comes before the variable."""
    write_config_files(mongo, "mongodb://u:p@host/?authSource=admin")
    variables = environment(mongo)
    assert stray_config() is None
    assert effective_launchpad(variables) == (launchpad_path(mongo), mongo.database)
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "my_launchpad.yaml").write_text("host: 127.0.0.1\nport: 9\nname: old\n")
    for folder in (tmp_path, tmp_path / "home" / ".fireworks"):
        folder.mkdir(exist_ok=True)
        stray = folder / "FW_config.yaml"
        stray.write_text(f"CONFIG_FILE_DIR: {other}\n")
        assert stray_config() == stray
        assert effective_launchpad(variables)[0] == other / "my_launchpad.yaml"
        stray.unlink()


def test_nothing_of_the_working_folder_is_imported(mongo, tmp_path):
    (tmp_path / "fireworks.py").write_text("open('imported', 'w')")
    (tmp_path / "json.py").write_text("open('imported', 'w')")
    effective_launchpad(environment(mongo))
    assert not (tmp_path / "imported").exists()
