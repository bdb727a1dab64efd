"""INCAR: its syntax, and whether VASP knows its tags."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

from vasp_emulator.errors import VaspError

DEFAULTS = {
    "PREC": "normal", "ISTART": 0, "ICHARG": 2, "ISPIN": 1, "NELM": 60, "NELMIN": 2,
    "EDIFF": 1e-4, "NSW": 0, "ISIF": 2, "POTIM": 0.5, "PSTRESS": 0.0, "ISMEAR": 1, "SIGMA": 0.2,
    "ISYM": 2, "SYMPREC": 1e-5, "ALGO": "Normal", "LREAL": False, "GGA": "--", "METAGGA": "--",
    "LHFCALC": False, "LDAU": False, "LUSE_VDW": False, "IVDW": 0, "LORBIT": 0, "LEPSILON": False,
    "LCHIMAG": False, "LSORBIT": False, "LNONCOLLINEAR": False, "LCHARG": True, "LWAVE": True,
    "LASPH": False, "LMAXMIX": 2, "KSPACING": 0.5, "KGAMMA": True, "AMIN": 0.1,
}  # fmt: skip
"""What VASP takes where INCAR is silent; tags whose default depends on others are in `fill`."""

OTHER_TAGS = {"EFERMI": {"type": "str"}}
"""Tags of VASP that pymatgen's table does not hold."""

BOOLEANS = {"T": True, "TRUE": True, "F": False, "FALSE": False}


def known_tags():
    """Return pymatgen's table of INCAR tags, without the time that importing pymatgen takes."""
    for folder in find_spec("pymatgen").submodule_search_locations:
        table = Path(folder) / "io/vasp/incar_parameters.json"
        if table.is_file():
            return json.loads(table.read_text()) | OTHER_TAGS
    raise VaspError("pymatgen's table of INCAR tags is missing")


def read_incar(text):
    """Return the tags of an INCAR with values of their types; what VASP cannot read is an error."""
    known = known_tags()
    tags = {}
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"[#!]", line)[0].split(";"):
            if not part.strip():
                continue
            name, equals, value = part.partition("=")
            name = name.strip().upper()
            if not equals:
                raise VaspError(f"Error reading item '{name}' from file INCAR: no value.")
            if name in tags:
                raise VaspError(f"Error reading item '{name}' from file INCAR: given twice.")
            if name not in known:
                raise VaspError(f"Error reading item '{name}' from file INCAR: unknown tag.")
            tags[name] = _value(name, value.strip(), known[name])
    return tags


def _value(name, text, tag):
    kinds = [kind.strip() for kind in tag["type"].split("|")]
    for kind in kinds:
        try:
            value = _PARSERS[kind](text)
        except (ValueError, KeyError, IndexError):
            continue
        allowed = tag.get("values")
        if not allowed or value in allowed:
            return value
        if isinstance(value, str) and value.upper() in {str(item).upper() for item in allowed}:
            return value
    raise VaspError(
        f"Error reading item '{name}' from file INCAR: {text!r} is no value of it.\n"
        " Error code was IERR= 5 ."
    )


def _bool(text):
    return BOOLEANS[text.strip(".").upper()]


def _list(text):
    numbers = []
    for word in text.split():
        count, times, number = word.rpartition("*")
        numbers += [float(number)] * (int(count) if times else 1)
    if not numbers:
        raise ValueError(text)
    return numbers


_PARSERS = {"bool": _bool, "int": lambda text: int(text.split()[0]), "list": _list,
            "float": lambda text: float(text.split()[0]), "str": str}  # fmt: skip


def fill(tags):
    """Return all parameters: the INCAR's and VASP's defaults for the others."""
    all_tags = DEFAULTS | tags
    all_tags.setdefault("IBRION", -1 if all_tags["NSW"] in {-1, 0} else 0)
    all_tags.setdefault("EDIFFG", 10 * all_tags["EDIFF"])
    return all_tags
