"""The cache of compiled kernels is private, whatever the working folder says."""

import os
import subprocess
import sys
from pathlib import Path

from screening.kernel_cache import VARIABLE, use_private_cache

CODE = "import screening\nfrom numba.core import config\nprint(config.CACHE_DIR)"


def cache_dir(tmp_path, **environment):
    clean = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    return done.stdout.strip()


def test_a_file_of_the_working_folder_does_not_move_it(tmp_path):
    (tmp_path / ".numba_config.yaml").write_text("cache_dir: planted\n")
    home = tmp_path / "home"
    folder = cache_dir(tmp_path, HOME=str(home), XDG_CACHE_HOME="")
    assert folder.startswith(str(home / ".cache" / "screening"))
    assert Path(folder).stat().st_mode & 0o777 == 0o700


def test_the_folder_of_the_user_is_kept(tmp_path):
    assert cache_dir(tmp_path, **{VARIABLE: str(tmp_path / "mine")}) == str(tmp_path / "mine")


def test_a_folder_that_others_can_write_is_not_used(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    shared = tmp_path / "screening" / "kernels-9"
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    use_private_cache("9")
    assert os.environ[VARIABLE].startswith(str(tmp_path / "temporary"))
