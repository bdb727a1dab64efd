"""OUTCAR, step by step."""

import numpy as np

from vasp_emulator import VERSION
from vasp_emulator.electrons import bands, born_charges, dielectric_tensor

RULE = "-" * 104


def header(inputs):
    """Return all before the first ionic step."""
    tags = inputs.tags
    named = ("ISTART", "ICHARG", "ISPIN", "ENCUT", "NELM", "EDIFF", "EDIFFG", "NSW", "IBRION",
             "ISIF", "POTIM", "PSTRESS", "ISMEAR", "SIGMA", "LEPSILON")  # fmt: skip
    lines = "".join(f"   {name:6s} = {_value(tags[name])}\n" for name in named)
    potentials = "".join(f" POTCAR:    {item.titel}\n" for item in inputs.potentials)
    titels = "".join(f"   TITEL  = {item.titel}\n" for item in inputs.potentials)
    return (
        f" vasp.{VERSION} (an emulator for tests, not VASP) complex\n\n executed on LinuxEmulated\n"
        f" running    1 mpi-ranks, with    1 threads/rank, on    1 nodes\n\n{potentials}{titels}\n"
        f"   k-points           NKPTS = {len(inputs.weights):6d}   "
        f"number of bands    NBANDS= {tags['NBANDS']:6d}\n"
        f"   number of ions     NIONS = {len(inputs.symbols):6d}\n"
        "   total plane-waves  NPLWV =   1000\n"
        f"{lines}   NELECT = {tags['NELECT']:12.4f}    total number of electrons\n\n"
        " maximum number of plane-waves:     100\n\n"
    )


def _value(value):
    if isinstance(value, bool):
        return "T" if value else "F"
    return f"{value:.2E}" if isinstance(value, float) else f"{value:6d}"


def ionic_step(number, step, inputs, n_electronic):
    """Return one ionic step."""
    cell = step.atoms.cell.array
    iterations = "".join(
        f"{RULE}\n\n\n--- Iteration {number:6d}({k:4d})  ---\n\n"
        "  entropy T*S    EENTRO =         0.00000000\n"
        for k in range(1, n_electronic + 1)
    )
    s = step.stress
    pressure = np.trace(s) / 3
    external = pressure - inputs.tags["PSTRESS"]
    voigt = [s[0, 0], s[1, 1], s[2, 2], s[0, 1], s[1, 2], s[2, 0]]
    volume = abs(np.linalg.det(cell))
    table = np.hstack([step.atoms.positions, step.forces])
    drift = step.forces.sum(axis=0)
    return (
        f"{iterations}------------------------ aborting loop because EDIFF is reached "
        f"----------------------------------------\n\n{_moments(step, inputs)}"
        f"  in kB  {_numbers(voigt, '12.5f')}\n"
        f"  external pressure = {external:11.2f} kB  Pullay stress = "
        f"{inputs.tags['PSTRESS']:11.2f} kB\n\n VOLUME and BASIS-vectors are now :\n"
        f"  energy-cutoff  :  {inputs.tags['ENCUT']:10.2f}\n  volume of cell :  {volume:10.2f}\n"
        "      direct lattice vectors                 reciprocal lattice vectors\n"
        f"{_table(np.hstack([cell, np.linalg.inv(cell).T]), '13.9f')}\n"
        " POSITION                                       TOTAL-FORCE (eV/Angst)\n"
        f" {'-' * 83}\n{_table(table, '12.6f')} {'-' * 83}\n"
        f"    total drift:      {_numbers(drift, '12.6f')}\n\n"
        "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n"
        "  ---------------------------------------------------\n"
        f"  free  energy   TOTEN  = {step.energy:18.8f} eV\n\n"
        f"  energy  without entropy= {step.energy:18.8f}  energy(sigma->0) = "
        f"{step.energy:18.8f}\n\n"
    )


def _numbers(values, form):
    return " ".join(f"{value:{form}}" for value in values)


def _table(array, form):
    return "".join(f"  {_numbers(row, form)}\n" for row in array)


def _moments(step, inputs):
    """Return charge, moments and Fermi level as they stand at the end of a step."""
    total = sum(step.magmoms)
    head = "# of ion       s       p       d       tot\n" + "-" * 42 + "\n"

    def table(values):
        sums = f"tot {0.0:10.3f} {0.0:7.3f} {sum(values):7.3f} {sum(values):7.3f}\n\n"
        body = "".join(
            f"{i:5d} {0.0:9.3f} {0.0:7.3f} {m:7.3f} {m:7.3f}\n" for i, m in enumerate(values, 1)
        )
        return f"{head}{body}{'-' * 42}\n{sums}"

    charges = [potential.zval for potential in inputs.potentials]
    pairs = zip(charges, inputs.counts, strict=True)
    per_atom = [charge for charge, count in pairs for _ in range(count)]
    text = f" number of electron {inputs.tags['NELECT']:14.7f} magnetization {total:14.7f}\n\n"
    text += f" total charge\n\n{table(per_atom)}"
    if step.magmoms:
        text += f" magnetization (x)\n\n{table(step.magmoms)}"
    return (
        text + f" E-fermi : {bands(inputs)[2]:8.4f}     XC(G=0):  -8.0000     alpha+bet : -9.0\n\n"
    )


def response(inputs):
    """Return Born charges, dielectric and piezoelectric tensors."""
    line = " " + "-" * 70 + "\n"
    epsilon = f"{line}{_table(dielectric_tensor(inputs), '12.6f')}{line}"
    ionic = f"{line}{_table(np.eye(3), '12.6f')}{line}"
    piezo = line + "".join(f"  {axis} {_numbers([0.0] * 6, '10.5f')}\n" for axis in "xyz") + line
    charges = ""
    for number, charge in enumerate(born_charges(inputs), 1):
        charges += f" ion {number:4d}\n"
        charges += "".join(f" {k:4d} {_numbers(row, '11.5f')}\n" for k, row in enumerate(charge, 1))
    strain = "".join(
        f" INTERNAL STRAIN TENSOR FOR ION {number:4d}  for displacements in x,y,z  (eV/Angst):\n"
        + "".join(f"  {axis} {_numbers([0.0] * 6, '10.5f')}\n" for axis in "xyz")
        for number in range(1, len(inputs.symbols) + 1)
    )
    name = "MACROSCOPIC STATIC DIELECTRIC TENSOR"
    return (
        f" {name} (including local field effects in DFT)\n{epsilon}\n"
        f" PIEZOELECTRIC TENSOR  for field in x, y, z        (C/m^2)\n{piezo}\n"
        f" BORN EFFECTIVE CHARGES (including local field effects) (in |e|, cummulative output)\n"
        f" {'-' * 80}\n{charges}{line}\n"
        f" {name} IONIC CONTRIBUTION\n{ionic}\n"
        f" PIEZOELECTRIC TENSOR IONIC CONTR  for field in x, y, z        (C/m^2)\n{piezo}\n"
        f"{strain}\n"
    )


def footer(*, converged, stopped, seconds):
    """Return the end of a run."""
    reached = " reached required accuracy - stopping structural energy minimisation\n"
    timing = (
        ("Total CPU time used (sec)", seconds), ("User time (sec)", seconds),
        ("System time (sec)", 0.0), ("Elapsed time (sec)", seconds),
    )  # fmt: skip
    lines = "".join(f" {name:>36s}: {value:12.3f}\n" for name, value in timing)
    return (
        (reached if converged else "")
        + (" soft stop encountered!  aborting job ...\n" if stopped else "")
        + " General timing and accounting informations for this job:\n"
        + f" ========================================================\n\n{lines}\n"
        + f" {'Maximum memory used (kb)':>36s}:     100000.\n"
        + f" {'Average memory used (kb)':>36s}:          N/A\n"
    )
