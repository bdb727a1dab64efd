"""The fixture ``vasp``: the emulator as the VASP of a test."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from vasp_emulator.files import OUTPUTS
from vasp_emulator.potcars import write_stub_potcars

ROOT = Path(__file__).parents[2]


def write_command(folder):
    """Write the executable; return its path."""
    path = Path(folder) / "vasp_std"
    paths = f"{ROOT / 'tests'}:{ROOT}"
    path.write_text(
        "#!/bin/sh\n# custodian looks at old files while they are there, and Python starts slowly\n"
        f"rm -f {' '.join(OUTPUTS)}\n"
        f"PYTHONPATH={shlex.quote(paths)} OMP_NUM_THREADS=1 "
        f"exec {shlex.quote(sys.executable)} -P -m vasp_emulator\n"
    )
    path.chmod(0o755)
    return path


class Vasp:
    """The emulator: where it is, what goes wrong, and what it was asked.

    Attributes
    ----------
    command
        Path of the executable.
    potcars
        Folder for ``PMG_VASP_PSP_DIR``.
    environment
        What another process needs to use it; in this process all of it is set already.
    """

    def __init__(self, command, potcars, log, patch):
        self.command, self.potcars, self.log, self.patch = str(command), potcars, log, patch
        self.environment = {
            "ATOMATE2_VASP_CMD": self.command,
            "ATOMATE2_VASP_GAMMA_CMD": self.command,
            "PMG_VASP_PSP_DIR": str(potcars),
            "VASP_EMULATOR_LOG": str(log),
        }
        for name, value in self.environment.items():
            patch.setenv(name, value)

    def set(self, **variables):
        """Set ``VASP_EMULATOR_<NAME>``: ``set(faults="nelm@1", backend="chgnet")``."""
        for name, value in variables.items():
            self.patch.setenv(f"VASP_EMULATOR_{name.upper()}", str(value))
            self.environment[f"VASP_EMULATOR_{name.upper()}"] = str(value)

    @property
    def run_vasp_kwargs(self):
        """What Makers of atomate2 get as `run_vasp_kwargs`: the command, and short waits."""
        return {
            "vasp_cmd": self.command,
            "vasp_gamma_cmd": self.command,
            "custodian_kwargs": {"polling_time_step": 0.1, "monitor_freq": 5},
        }

    @property
    def calls(self):
        """The calls so far: number, fault, folder and time of each."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def use_in(self, flow):
        """Make all VASP jobs of a flow or job run the emulator, those that are made later, too."""
        from atomate2.vasp.jobs.base import BaseVaspMaker

        changes = {"run_vasp_kwargs": self.run_vasp_kwargs}
        flow.update_maker_kwargs(changes, class_filter=BaseVaspMaker)
        return flow


@pytest.fixture(scope="session")
def vasp_installation(tmp_path_factory):
    """The executable and the POTCAR stubs."""
    folder = tmp_path_factory.mktemp("vasp")
    return write_command(folder), write_stub_potcars(folder / "potcars")


@pytest.fixture
def vasp(vasp_installation, tmp_path, monkeypatch):
    """An emulated VASP for this test."""
    from pymatgen.core import SETTINGS

    command, potcars = vasp_installation
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(potcars))
    return Vasp(command, potcars, tmp_path / "vasp_calls.jsonl", monkeypatch)
