"""Faults on demand: which one this call has, and how it looks.

=============  =====================================================================================
zbrent         the line search fails after the first steps (custodian restarts from CONTCAR)
brillouin      the k-point mesh does not have the symmetry of the lattice (custodian corrects it)
tetrahedron    the Brillouin-zone integration fails (custodian changes the smearing)
nelm           the electrons of the last step do not converge (custodian changes the algorithm)
nsw            the ions do not converge within NSW steps (custodian goes on from CONTCAR)
potim          the energy rises in the last step (custodian makes the steps shorter)
truncated      vasprun.xml ends in the middle, exit status 0
killed         SIGKILL after the first step
disk-full      no space left on the device: files end in the middle
hang           nothing is written any more
=============  =====================================================================================
"""

import fcntl
import json
import os
import time
from pathlib import Path

from vasp_emulator.errors import VaspError

NAMES = ("zbrent", "brillouin", "tetrahedron", "nelm", "nsw", "potim", "truncated", "killed",
         "disk-full", "hang")  # fmt: skip
AT_START = {
    "brillouin": "VERY BAD NEWS! internal error in subroutine IBZKPT:\n"
    " Reciprocal lattice and k-lattice belong to different class of lattices. Often results are "
    "still useful...",
    "tetrahedron": "BZINTS: Fatal error detecting k-mesh: Tetrahedron method fails",
}
"""Faults before the first electronic step, with VASP's words."""


def start_call():
    """Write this call into the log; return its fault, if any."""
    path = Path(os.environ.get("VASP_EMULATOR_LOG", "vasp_emulator.log"))
    with path.open("a+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        call = len(log.readlines()) + 1
        fault = _fault_of(call)
        entry = {"call": call, "fault": fault, "folder": str(Path.cwd()), "time": time.time()}
        log.write(json.dumps(entry) + "\n")
    return fault


def _fault_of(call):
    for item in filter(None, os.environ.get("VASP_EMULATOR_FAULTS", "").split(",")):
        name, _, at = item.strip().partition("@")
        if name not in NAMES or not (at == "*" or at.isdigit()):
            raise VaspError(f"VASP_EMULATOR_FAULTS: {item!r} must be one of {NAMES} with @1 or @*")
        if at == "*" or int(at) == call:
            return name
    return None
