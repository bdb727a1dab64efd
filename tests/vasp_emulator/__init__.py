"""A stand-in for the VASP executable, for tests only.

It reads INCAR, KPOINTS (or KSPACING), POSCAR and POTCAR of the working folder and answers with the
energies, forces and stresses of EMT or CHGNet in the files that VASP would write: vasprun.xml,
OUTCAR, OSZICAR, CONTCAR, XDATCAR and others. Wrong inputs make it die as VASP would. Energies are
shifted, and bands, gaps, densities of states, moments, Born charges and dielectric tensors are
invented: its documents carry the version ``6.4.99-emulator``, and no result store may hold them.

Environment
-----------
VASP_EMULATOR_BACKEND
    ``emt`` (default), ``chgnet``, or any other engine of `screening.engines`.
VASP_EMULATOR_FAULTS
    What goes wrong at which call, such as ``zbrent@1,nelm@3`` (``@*``: at each); see `faults`.
VASP_EMULATOR_LOG
    File that gets one JSON line per call, and counts them; the default is in the working folder.
VASP_EMULATOR_SLEEP
    Seconds to wait after each ionic step (default 0), for tests that kill or stop a run.
VASP_EMULATOR_GAP
    Band gap (eV); the default is 0 for metals and alloys, otherwise 2.

Not there: molecular dynamics, finite differences (IBRION 5 and 6), NEB and line-mode KPOINTS; it
says so and dies.
"""

VERSION = "6.4.99-emulator"
