"""Energies that fit the Materials Project's: MaterialsProject2020Compatibility.

Wang et al. 2021, doi:10.1038/s41598-021-94550-5: corrections of anions and of metals with +U, which
put GGA and GGA+U energies on one hull.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymatgen.core import Structure


@dataclass(frozen=True)
class Corrected:
    """Corrections of one energy.

    Attributes
    ----------
    per_atom
        Name of a correction -> eV/atom.
    refused
        Why the scheme does not know this calculation; None if it does.
    """

    per_atom: Mapping[str, float]
    refused: str | None = None


def mp2020(
    structure: Structure,
    energy: float,
    *,
    run_type: str,
    potcars: Sequence[Mapping[str, str | None]],
    hubbards: Mapping[str, float],
    data: Mapping[str, Any] | None = None,
) -> Corrected:
    """Correct an energy that was computed with the Materials Project's settings.

    Parameters
    ----------
    structure
        The structure.
    energy
        Total energy (eV/cell).
    run_type
        GGA, GGA+U, or PBE, PBE+U, as emmet calls them.
    potcars
        'titel' and 'hash' of each POTCAR.
    hubbards
        U by element (eV).
    data
        'oxidation_states' and 'oxide_type', where known; else pymatgen guesses the states from the
        formula, which it does not do for more than 20 atoms, and then anions lose corrections.
    """
    from pymatgen.entries.compatibility import CompatibilityError, MaterialsProject2020Compatibility
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    parameters: dict[str, Any] = {
        "run_type": run_type.replace("PBE", "GGA"),
        "potcar_spec": [dict(potcar) for potcar in potcars],
        "hubbards": dict(hubbards),
        "is_hubbard": bool(hubbards),
    }
    entry = ComputedStructureEntry(structure, energy, parameters=parameters, data=dict(data or {}))
    scheme = MaterialsProject2020Compatibility()
    try:
        processed = scheme.process_entry(entry)
    except (CompatibilityError, KeyError, ValueError, TypeError, IndexError) as error:
        return Corrected({}, f"has no MP2020 corrections: {type(error).__name__} {error}"[:200])
    if processed is None:
        symbols = ", ".join(_symbol(potcar) for potcar in potcars)
        return Corrected(
            {}, f"MP2020 has no corrections for {run_type} with U of {dict(hubbards)} and {symbols}"
        )
    found: dict[str, float] = {}
    for adjustment in entry.energy_adjustments:
        found[adjustment.name] = found.get(adjustment.name, 0.0) + adjustment.value / len(structure)
    return Corrected(found)


def _symbol(potcar: Mapping[str, str | None]) -> str:
    """Take ``Fe_pv`` out of ``PAW_PBE Fe_pv 02Aug2007``."""
    parts = (potcar.get("titel") or "").split()
    return parts[1] if len(parts) > 1 else "?"
