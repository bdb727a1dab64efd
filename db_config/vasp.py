"""VASP on this machine: its commands and its POTCARs, as atomate2 and pymatgen are told."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from screening.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMANDS = {"VASP_CMD": "vasp_std", "VASP_GAMMA_CMD": "vasp_gam"}
"""Names of atomate2's settings, and their defaults."""
STUB = "STUB"
"""In the TITEL of POTCARs that are made for an emulator of VASP."""
_FOLDER = "PMG_VASP_PSP_DIR"


@dataclass(frozen=True)
class Fault:
    """Something that keeps VASP from running, and what to do about it.

    Attributes
    ----------
    about
        ``VASP_CMD``, ``VASP_GAMMA_CMD`` or ``POTCARs``.
    finding, fix
        One line each.
    """

    about: str
    finding: str
    fix: str


def vasp_command(name: str = "VASP_CMD") -> str:
    """Return a command as atomate2 would read it: its environment, then its file."""
    variable = f"ATOMATE2_{name}"
    if value := os.environ.get(variable):
        return value
    path = Path(os.environ.get("ATOMATE2_CONFIG_FILE", "~/.atomate2.yaml")).expanduser()
    if path.is_file():
        import yaml

        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get(name):
            return str(content[name])
    return COMMANDS[name]


def command_faults() -> list[Fault]:
    """Look for the programs that the commands name: the launcher, and VASP itself."""
    faults = []
    for name, program in COMMANDS.items():
        command = os.path.expandvars(vasp_command(name))
        tokens = shlex.split(command) or [""]
        programs = [tokens[0], *(t for t in tokens[1:] if "vasp" in Path(t).name.lower())]
        missing = [one for one in programs if shutil.which(one) is None]
        if missing:
            faults.append(
                Fault(
                    name,
                    f"{command!r}: there is no program {missing[0]!r}",
                    f"set ATOMATE2_{name}='srun /path/to/{program}', or {name} in ~/.atomate2.yaml",
                )
            )
    return faults


def potcar_folder() -> Path | None:
    """Return the folder that pymatgen takes POTCARs from."""
    from pymatgen.core import SETTINGS

    folder = os.environ.get(_FOLDER) or SETTINGS.get(_FOLDER)
    return Path(folder).expanduser() if folder else None


def read_titels(symbols: Iterable[str], family: str) -> dict[str, str | None]:
    """Read the TITEL of each POTCAR; None where there is no such POTCAR.

    Parameters
    ----------
    symbols
        Such as ``Na_pv``.
    family
        As pymatgen names it: ``PBE`` or ``PBE_54``.
    """
    from pymatgen.io.vasp.inputs import PotcarSingle

    titels: dict[str, str | None] = {}
    for symbol in symbols:
        try:
            titels[symbol] = PotcarSingle.from_symbol_and_functional(symbol, family).TITEL
        except (OSError, ValueError, KeyError):
            titels[symbol] = None
    return titels


def potcar_faults(symbols: Iterable[str], family: str) -> list[Fault]:
    """Look for POTCARs."""
    folder = potcar_folder()
    if folder is None:
        return [
            Fault(
                "POTCARs",
                "PMG_VASP_PSP_DIR is not set",
                "pmg config -p /path/to/your/VASP/POTCARs POTCARS, then "
                "pmg config --add PMG_VASP_PSP_DIR POTCARS",
            )
        ]
    missing = sorted(symbol for symbol, t in read_titels(symbols, family).items() if t is None)
    if not missing:
        return []
    return [
        Fault(
            "POTCARs",
            f"{folder} has no {family} POTCAR of {', '.join(missing)}",
            f"put your licensed {family} set there with `pmg config -p`; folders with other "
            "names: PMG_VASP_PSP_SUB_DIRS",
        )
    ]


def require_vasp(symbols: Iterable[str], family: str, *, allow_emulator: bool) -> None:
    """Check that VASP and POTCARs are there, and that they are not an emulator's.

    Raises
    ------
    ConfigError
        If something is missing, or would put an emulator's numbers among results.
    """
    wanted = sorted(set(symbols))
    faults = [*command_faults(), *potcar_faults(wanted, family)]
    if faults:
        text = "; ".join(f"{fault.finding} ({fault.fix})" for fault in faults)
        raise ConfigError(f"DFT cannot run here: {text}")
    stubs = sorted(s for s, titel in read_titels(wanted, family).items() if STUB in (titel or ""))
    if stubs and not allow_emulator:
        raise ConfigError(
            f"the POTCARs of {', '.join(stubs)} are stubs for an emulator of VASP, whose numbers "
            "mean nothing: point PMG_VASP_PSP_DIR to real ones, or say "
            "SCREENING_ALLOW_EMULATOR=true for a database of tests"
        )
