"""CONTCAR, OSZICAR, XDATCAR and the files that are only there."""

import numpy as np

HEADER = (
    "       N       E                     dE             d eps       ncg     rms          rms(c)\n"
)
OUTPUTS = ("vasprun.xml", "OUTCAR", "OSZICAR", "XDATCAR")
"""Files that a run starts anew."""
STUBS = ("CHG", "DOSCAR", "EIGENVAL", "IBZKPT", "PCDAT", "REPORT")


def poscar(inputs, atoms):
    """Return a POSCAR with all digits."""
    cell = "".join(f" {' '.join(f'{x:22.16f}' for x in row)}\n" for row in atoms.cell.array)
    sites = "".join(
        f" {' '.join(f'{x:19.16f}' for x in row)}\n" for row in atoms.get_scaled_positions()
    )
    return (
        f"emulated\n   1.00000000000000\n{cell}   {'   '.join(inputs.elements)}\n"
        f"   {'   '.join(map(str, inputs.counts))}\nDirect\n{sites}"
    )


def chgcar(inputs, atoms):
    """Return a charge density that is the same everywhere, on 2 x 2 x 2 points."""
    density = " ".join([f"{inputs.tags['NELECT']:.6f}"] * 8)
    return f"{poscar(inputs, atoms)}\n   2   2   2\n {density}\n"


def electronic_line(number, energy, *, last):
    """Return one electronic step of OSZICAR and of the output."""
    change = 0.0 if last else 10.0 ** (2 - number)
    return (
        f"DAV: {number:3d}   {energy + change:20.12E} {-change:14.5E} {-change:14.5E}"
        f"  1000 {abs(change):11.3E}\n"
    )


def ionic_line(number, step, change):
    """Return one ionic step of OSZICAR and of the output."""
    moment = f"  mag= {sum(step.magmoms):10.4f}" if step.magmoms else ""
    energy = f"{step.energy:.8E}"
    return f"{number:4d} F= {energy} E0= {energy}  d E ={change:.6E}{moment}\n"


def xdatcar(number, inputs, atoms):
    """Return one configuration of XDATCAR."""
    head, _, sites = poscar(inputs, atoms).partition("Direct\n")
    return f"{head}Direct configuration= {number:5d}\n{sites}"


def write_stubs(folder, inputs, atoms):
    """Write what nobody reads but programs look for or copy."""
    for name in STUBS:
        (folder / name).write_text("emulated\n")
    if inputs.tags["LCHARG"]:
        (folder / "CHGCAR").write_text(chgcar(inputs, atoms))
    if inputs.tags["LWAVE"]:
        (folder / "WAVECAR").write_bytes(np.zeros(16).tobytes())
