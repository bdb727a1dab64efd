"""Builds `screening/data/elements.csv` and `oxidation_states.json` from the packages they are in.

Run with the `bench` extra installed: ``python -m screening.training.element_table``. The tables are
frozen in the repository so that verdicts and features do not change with somebody else's release;
a test compares them with the installed packages.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from screening.features import MAGPIE_PROPERTIES

N_ELEMENTS = 103
DATA = Path(__file__).parents[1] / "data"


def element_row(number: int, magpie: dict[str, list[float]]) -> dict[str, Any]:
    """Collect one element's row from pymatgen, mendeleev, SMACT and Magpie."""
    import smact
    from mendeleev import element as mendeleev_element
    from pymatgen.core import Element

    element = Element.from_Z(number)
    reference = mendeleev_element(number)
    symbol = element.symbol
    row = {
        "symbol": symbol,
        "number": number,
        "name": element.long_name,
        "group": element.group,
        "period": element.row
        if number not in range(57, 72) and number not in range(89, 104)
        else (6 if number < 72 else 7),
        "block": "s" if symbol == "He" else element.block,
        "is_metal": symbol in smact.metals,
        "is_d_block": symbol in smact.d_block,
        "mass": float(element.atomic_mass),
        "electronegativity": smact.Element(symbol).pauling_eneg,
        "valence_electrons": smact.Element(symbol).num_valence_modified,
        "pettifor_number": int(element.mendeleev_no),
        "covalent_radius": reference.covalent_radius_cordero / 100
        if reference.covalent_radius_cordero
        else None,
        "atomic_radius": element.atomic_radius and float(element.atomic_radius),
        "ionic_radius": float(element.average_ionic_radius) or None,
        "unpaired_electrons": reference.ec.unpaired_electrons(),
        "heat_of_formation": reference.heat_of_formation,
        "dipole_polarizability": reference.dipole_polarizability,
        "ionization_energy": reference.ionenergies.get(1),
    }
    row["pymatgen_electronegativity"] = float(element.X)
    row["common_oxidation_states"] = " ".join(str(q) for q in element.common_oxidation_states)
    row["deml_first_ionization"] = deml_first_ionization().get(symbol)
    row.update({f"magpie_{name}": values[number - 1] for name, values in magpie.items()})
    return row


def _number(text: str) -> float:
    """Read a number of a Magpie table; "Missing" and "NA" become NaN."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


@cache
def deml_first_ionization() -> dict[str, float]:
    """Read the first ionization energies (kJ/mol) of Deml et al. that matminer ships."""
    from matminer.utils.data import DemlData

    energies = DemlData(impute_nan=False).all_props["ionization_en"]
    return {symbol: values[0] / 1000 for symbol, values in energies.items()}


def magpie_tables() -> dict[str, list[float]]:
    """Read the Magpie properties of H..Lr that the descriptors need, as matminer ships them."""
    folder = files("matminer") / "utils" / "data_files" / "magpie_elementdata"
    tables = {}
    for name in (*MAGPIE_PROPERTIES, "ElectronAffinity"):
        lines = (folder / f"{name}.table").read_text().splitlines()
        tables[name] = [_number(line) for line in lines[:N_ELEMENTS]]
    return tables


def oxidation_states() -> dict[str, dict[str, list[int]]]:
    """Collect SMACT's named oxidation-state tables, element by element."""
    import smact
    from smact.utils.oxidation import ICSD24OxStatesFilter

    tables: dict[str, dict[str, list[int]]] = {}
    filtered = ICSD24OxStatesFilter().filter(consensus=3, include_zero=False, commonality="low")
    tables["icsd24_filtered"] = {
        str(row["element"]): [int(x) for x in str(row["oxidation_state"]).split()]
        for _, row in filtered.iterrows()
    }
    names = {
        "smact14": "oxidation_states_smact14",
        "icsd16": "oxidation_states_icsd16",
        "icsd24": "oxidation_states_icsd24",
        "pymatgen_sp": "oxidation_states_sp",
        "wiki": "oxidation_states_wiki",
    }
    symbols = [smact.ordered_elements(1, N_ELEMENTS)][0]
    for table, attribute in names.items():
        tables[table] = {
            symbol: [int(x) for x in states]
            for symbol in symbols
            if (states := getattr(smact.Element(symbol), attribute))
        }
    return tables


def main() -> None:
    """Write both tables."""
    magpie = magpie_tables()
    rows = [element_row(number, magpie) for number in range(1, N_ELEMENTS + 1)]
    pd.DataFrame(rows).to_csv(DATA / "elements.csv", index=False)
    text = json.dumps(oxidation_states(), indent=None, separators=(",", ":"))
    (DATA / "oxidation_states.json").write_text(text.replace("},", "},\n") + "\n")


if __name__ == "__main__":
    main()
