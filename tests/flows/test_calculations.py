"""What becomes of VASP when this process is interrupted."""

import subprocess

import pytest

from flows.calculations import _ended_with_us


def sleeping(folder):
    """A child in a session of its own, as custodian starts VASP."""
    folder.mkdir()
    return subprocess.Popen(["sleep", "60"], cwd=folder, start_new_session=True)


def test_an_interrupt_ends_what_runs_in_the_folder_of_calculations_and_nothing_else(tmp_path):
    vasp, other = sleeping(tmp_path / "calculations"), sleeping(tmp_path / "elsewhere")
    with pytest.raises(KeyboardInterrupt), _ended_with_us(tmp_path / "calculations"):
        raise KeyboardInterrupt
    assert vasp.wait(timeout=10) == -15
    assert other.poll() is None
    other.kill()
    other.wait()
