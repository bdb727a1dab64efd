"""One call of the emulator, from inputs to the last line of its files."""

import os
import signal
import sys
import time
from pathlib import Path

from vasp_emulator import VERSION, faults, files, outcar, vasprun
from vasp_emulator.errors import VaspError
from vasp_emulator.inputs import read_inputs

N_ELECTRONIC = 5
"""Electronic steps of an ionic step that converges."""

POTIM_RISE = 2.0
"""Energy by which the fault ``potim`` rises (eV/atom); custodian acts above 1."""


class Outputs:
    """The files of a run, each written and flushed step by step."""

    def __init__(self, inputs):
        self.inputs = inputs
        self.started = time.time()
        self.files = {name: Path(name).open("w") for name in files.OUTPUTS}  # noqa: SIM115
        self.previous = None
        self.write("vasprun.xml", vasprun.header(inputs))
        self.write("OUTCAR", outcar.header(inputs))
        self.say(
            f" vasp.{VERSION}\n running    1 mpi-ranks, on    1 nodes\n POSCAR found : "
            f"{len(inputs.elements):2d} types and {len(inputs.symbols):7d} ions\n"
            " entering main loop\n"
        )

    def write(self, name, text):
        self.files[name].write(text)
        self.files[name].flush()

    @staticmethod
    def say(text):
        sys.stdout.write(text)
        sys.stdout.flush()

    def step(self, number, step, n_electronic, *, last):
        """Write one ionic step; CONTCAR holds its atoms."""
        inputs = self.inputs
        self.both(files.HEADER)
        for k in range(1, n_electronic + 1):
            self.both(files.electronic_line(k, step.energy, last=k == n_electronic))
        change = step.energy - (step.energy if self.previous is None else self.previous)
        self.both(files.ionic_line(number, step, change))
        self.write("OUTCAR", outcar.ionic_step(number, step, inputs, n_electronic))
        self.write("vasprun.xml", vasprun.ionic_step(step, inputs, n_electronic, last=last))
        self.write("XDATCAR", files.xdatcar(number, inputs, step.atoms))
        Path("CONTCAR").write_text(files.poscar(inputs, step.atoms))
        self.previous = step.energy

    def both(self, text):
        self.write("OSZICAR", text)
        self.say(text)

    def finish(self, step, *, converged, stopped):
        """Write the ends of the files."""
        if self.inputs.tags["LEPSILON"]:
            self.write("OUTCAR", outcar.response(self.inputs))
        self.write("vasprun.xml", vasprun.footer(step))
        seconds = time.time() - self.started
        self.write("OUTCAR", outcar.footer(converged=converged, stopped=stopped, seconds=seconds))
        files.write_stubs(Path(), self.inputs, step.atoms)
        if converged:
            self.say(" reached required accuracy - stopping structural energy minimisation\n")


def main():
    """Run in the working folder; return the exit status."""
    for name in files.OUTPUTS:
        Path(name).unlink(missing_ok=True)
    try:
        fault = faults.start_call()
        inputs = read_inputs(".")
        if fault in faults.AT_START:
            raise VaspError(faults.AT_START[fault])  # noqa: TRY301 - VASP stops in the same way
        return _run(inputs, fault)
    except VaspError as error:
        message = f" {error}\n\n  ---->  I REFUSE TO CONTINUE WITH THIS SICK JOB ... BYE!!! <----\n"
        sys.stdout.write(message)
        sys.stdout.flush()
        return 1


def _run(inputs, fault):
    from vasp_emulator.physics import ionic_steps  # ASE loads slowly, and wrong inputs need none

    outputs = Outputs(inputs)
    nsw = max(inputs.tags["NSW"], 1)
    steps, stopped = [], False
    source = ionic_steps(inputs)
    step = next(source)
    while step is not None:
        steps.append(step)
        following = None if stopped else next(source, None)
        if following is None and fault == "nsw" and len(steps) < nsw:
            following = step
        _write(outputs, steps, fault, last=following is None)
        step, stopped = following, _stop_requested()
    relaxing = inputs.tags["NSW"] > 1
    converged = relaxing and len(steps) < nsw and not stopped
    outputs.finish(steps[-1], converged=converged, stopped=stopped)
    if fault == "truncated":
        path = Path("vasprun.xml")
        os.truncate(path, path.stat().st_size * 2 // 3)
    return 0


def _write(outputs, steps, fault, *, last):
    """Write the newest step, or what a fault makes of it."""
    step, inputs = steps[-1], outputs.inputs
    n_electronic = min(N_ELECTRONIC, max(inputs.tags["NELM"] - 1, 2))
    if last and fault == "nelm":
        n_electronic = inputs.tags["NELM"]
    if last and fault == "potim":
        step.energy += POTIM_RISE * len(step.atoms)
    outputs.step(len(steps), step, n_electronic, last=last)
    if fault == "zbrent":
        raise VaspError("ZBRENT: fatal error in bracketing\n     please rerun with smaller EDIFF")
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "disk-full":
        _disk_full()
    if fault == "hang":
        time.sleep(3600)
    time.sleep(float(os.environ.get("VASP_EMULATOR_SLEEP", "0")))


def _disk_full():
    """Stop as a Fortran program that cannot write."""
    for name in ("vasprun.xml", "OUTCAR"):
        os.truncate(name, Path(name).stat().st_size // 2)
    sys.stderr.write("forrtl: No space left on device\nforrtl: severe (38): error during write\n")
    sys.stderr.flush()
    os._exit(38)


def _stop_requested():
    path = Path("STOPCAR")
    text = path.read_text().upper() if path.is_file() else ""
    return "LSTOP" in text or "LABORT" in text
