"""vasprun.xml, step by step, so that a killed run leaves what VASP would leave."""

import numpy as np

from vasp_emulator import VERSION
from vasp_emulator.electrons import bands, born_charges, dielectric_tensor

N_DOS = 51
ORBITALS = ("s", "py", "pz", "px", "dxy", "dyz", "dz2", "dxz", "x2-y2")


def rows(array, form="%16.8f"):
    """Return ``<v>`` elements of a table."""
    table = np.atleast_2d(array)
    return "".join(f"<v> {' '.join(form % value for value in row)} </v>\n" for row in table)


def varray(name, array):
    """Return a ``<varray>`` element."""
    return f'<varray name="{name}" >\n{rows(array)}</varray>\n'


def tag(name, value):
    """Return a tag of INCAR or of the parameters as VASP writes it."""
    if isinstance(value, list):
        return f'<v name="{name}"> {" ".join(f"{x:.8f}" for x in value)}</v>\n'
    if isinstance(value, bool):
        return f'<i type="logical" name="{name}"> {"T" if value else "F"} </i>\n'
    if isinstance(value, int):
        return f'<i type="int" name="{name}">{value:6d}</i>\n'
    if isinstance(value, str):
        return f'<i type="string" name="{name}"> {value}</i>\n'
    return f'<i name="{name}">{value:16.8e}</i>\n'


def structure(cell, fractional, name=""):
    """Return a ``<structure>`` element."""
    label = f' name="{name}"' if name else ""
    return (
        f"<structure{label}>\n<crystal>\n{varray('basis', cell)}"
        f'<i name="volume"> {abs(np.linalg.det(cell)):.8f} </i>\n'
        f"{varray('rec_basis', np.linalg.inv(cell).T)}</crystal>\n"
        f"{varray('positions', fractional)}</structure>\n"
    )


def header(inputs):
    """Return all before the first ionic step."""
    parameters = inputs.tags | {
        "ENMAX": inputs.tags["ENCUT"],
        "NELECT": float(inputs.tags["NELECT"]),
    }
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<generator>\n'
        '<i name="program" type="string">vasp </i>\n'
        f'<i name="version" type="string">{VERSION}  </i>\n'
        '<i name="subversion" type="string">emulator, not VASP </i>\n</generator>\n'
        f"<incar>\n{''.join(tag(*item) for item in inputs.incar.items())}</incar>\n"
        f'<kpoints>\n<generation param="{inputs.mesh_style}">\n'
        f'<v type="int" name="divisions"> {" ".join(map(str, inputs.mesh))} </v>\n'
        '<v name="usershift"> 0.0 0.0 0.0 </v>\n</generation>\n'
        f"{varray('kpointlist', inputs.kpoints)}{varray('weights', inputs.weights[:, None])}"
        f"</kpoints>\n<parameters>\n{''.join(tag(*item) for item in parameters.items())}"
        f"</parameters>\n{_atoms(inputs)}{structure(inputs.cell, inputs.fractional, 'initialpos')}"
    )


def _atoms(inputs):
    atoms, types = "", ""
    entries = zip(inputs.elements, inputs.counts, inputs.potentials, strict=True)
    for number, (element, count, potential) in enumerate(entries, 1):
        atoms += f"<rc><c>{element:2s}</c><c>{number:4d}</c></rc>\n" * count
        types += (
            f"<rc><c>{count:4d}</c><c>{element:2s}</c><c>  1.0</c><c>{potential.zval:.1f}</c>"
            f"<c>  {potential.titel}  </c></rc>\n"
        )
    return (
        f"<atominfo>\n<atoms> {len(inputs.symbols)} </atoms>\n<types> {len(inputs.elements)} "
        f'</types>\n<array name="atoms" >\n<dimension dim="1">ion</dimension>\n'
        f"<set>\n{atoms}</set>\n"
        '</array>\n<array name="atomtypes" >\n<dimension dim="1">type</dimension>\n'
        f"<set>\n{types}</set>\n</array>\n</atominfo>\n"
    )


def ionic_step(step, inputs, n_electronic, *, last):
    """Return a ``<calculation>`` element; the last one holds bands and responses."""
    text = "<calculation>\n"
    for number in range(1, n_electronic + 1):
        value = step.energy + 10.0 ** (2 - number) * (number < n_electronic)
        extra = "".join(
            f'<i name="{name}"> 0.0 </i>\n' for name in ("alphaZ", "ewald", "hartreedc", "eentropy")
        )
        shown = extra if number in {1, n_electronic} else ""
        text += f"<scstep>\n<energy>\n{shown}{_energies(value)}</energy>\n</scstep>\n"
    text += structure(step.atoms.cell.array, step.atoms.get_scaled_positions())
    text += varray("forces", step.forces) + varray("stress", step.stress)
    text += f"<energy>\n{_energies(step.energy)}</energy>\n"
    if last:
        text += _electrons(inputs)
        if inputs.tags["LEPSILON"]:
            text += _response(inputs)
    return text + "</calculation>\n"


def _energies(value):
    names = ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    return "".join(f'<i name="{name}"> {value:.8f} </i>\n' for name in names)


def _electrons(inputs):
    """Return eigenvalues and densities of states."""
    energies, occupations, efermi = bands(inputs)
    points = ""
    for number, pair in enumerate(zip(energies, occupations, strict=True), 1):
        lines = "".join(f"<r> {e:.4f} {f:.4f} </r>\n" for e, f in zip(*pair, strict=True))
        points += f'<set comment="kpoint {number}">\n{lines}</set>\n'
    spins = "".join(_spin(number, points) for number in range(1, inputs.tags["ISPIN"] + 1))
    grid = np.linspace(energies.min() - 1, energies.max() + 1, N_DOS)
    density = np.exp(-((grid[:, None] - energies.ravel()) ** 2) / 0.02).sum(axis=1)
    total = np.stack([grid, density, np.cumsum(density)], axis=1)
    part = np.column_stack([grid, np.tile(density[:, None] / len(ORBITALS), (1, len(ORBITALS)))])
    atoms = ""
    for number in range(1, len(inputs.symbols) + 1):
        table = _table(part)
        both = "".join(_spin(spin, table) for spin in range(1, inputs.tags["ISPIN"] + 1))
        atoms += f'<set comment="ion {number}">\n{both}</set>\n'
    both = "".join(_spin(spin, _table(total)) for spin in range(1, inputs.tags["ISPIN"] + 1))
    fields = "".join(f"<field>{name}</field>\n" for name in ("energy", *ORBITALS))
    partial = f"<partial>\n<array>\n{fields}<set>\n{atoms}</set>\n</array>\n</partial>\n"
    return (
        f"<eigenvalues>\n<array>\n<field>eigene</field>\n<field>occ</field>\n<set>\n{spins}</set>\n"
        f'</array>\n</eigenvalues>\n<dos>\n<i name="efermi"> {efermi:.8f} </i>\n<total>\n<array>\n'
        "<field>energy</field>\n<field>total</field>\n<field>integrated</field>\n"
        f"<set>\n{both}</set>\n</array>\n</total>\n{partial}</dos>\n"
    )


def _spin(number, content):
    return f'<set comment="spin {number}">\n{content}</set>\n'


def _table(array):
    return "".join(f"<r> {' '.join(f'{x:.4f}' for x in row)} </r>\n" for row in array)


def _response(inputs):
    """Return dielectric tensors and Born charges."""
    charges = "".join(f"<set>\n{rows(charge)}</set>\n" for charge in born_charges(inputs))
    epsilon = dielectric_tensor(inputs)
    return (
        f"{varray('epsilon', epsilon)}{varray('epsilon_rpa', epsilon)}"
        f"{varray('epsilon_ion', np.eye(3))}"
        f'<array name="born_charges" >\n<dimension dim="1">ion</dimension>\n{charges}</array>\n'
    )


def footer(step):
    """Return all after the last ionic step."""
    final = structure(step.atoms.cell.array, step.atoms.get_scaled_positions(), "finalpos")
    return f"{final}</modeling>\n"
