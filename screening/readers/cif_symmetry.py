"""The symmetry operations of a CIF, in the setting that the file says.

Operations in the file come first. Without them, the Hall symbol, the Hermann-Mauguin symbol with
its suffix (``:1`` and ``:2`` for origins, ``:H`` and ``:R`` for axes) and the number are looked up
in the 530 settings of spglib (arXiv:1808.01590). Where two origins fit, the caller has to choose by
what else the file says.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.readers.limits import MAX_OPERATIONS, excerpt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.readers.cif_syntax import CifBlock

OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_magn_operation_xyz",
)
CENTRINGS = ("_space_group_symop_magn_centering_xyz",)
NAMES = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_h-m_ref",
         "_space_group_name_h-m_full", "_symmetry_space_group_name_h_m")  # fmt: skip
HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
DISTORTION = 0.02
"""Largest change of the metric tensor, over its trace, by a rotation that fits the cell."""
_E_GLIDES = {39, 41, 64, 67, 68}
_SUFFIXES = {"s": "1", "z": "2", "o1": "1", "o2": "2", "h": "H", "r": "R"}
_TERM = re.compile(r"([+-]?)(?:(\d+(?:\.\d*)?|\.\d+)(?:/(\d+))?\*?)?([xyz]?)")


@dataclass(frozen=True)
class Setting:
    """Operations of a space group in one setting.

    Attributes
    ----------
    rotations
        Integer matrices on fractional coordinates, shape ``(n, 3, 3)``.
    translations
        Shape ``(n, 3)``.
    name
        How a message names it.
    note
        What was concluded that the file does not say.
    """

    rotations: NDArray[np.int64]
    translations: NDArray[np.float64]
    name: str
    note: str = ""

    def fits(self, lattice: NDArray[np.float64]) -> bool:
        """Tell whether every rotation leaves the metric of the cell as it is."""
        metric = lattice @ lattice.T
        turned = self.rotations.transpose(0, 2, 1) @ metric @ self.rotations
        return bool(np.abs(turned - metric).max() <= DISTORTION * np.trace(metric))

    def number(self, lattice: NDArray[np.float64]) -> int | None:
        """Find the number of the space group, 1 to 230; None where spglib does not know it."""
        import spglib

        try:
            kind = spglib.get_spacegroup_type_from_symmetry(
                self.rotations, self.translations, lattice, symprec=1e-3
            )
        except spglib.SpglibError:
            return None
        return int(kind.number) if kind else None


def settings_of(block: CifBlock, lattice: NDArray[np.float64]) -> list[Setting]:
    """Find the settings that a block may mean; more than one only where its origin is open.

    Raises
    ------
    ValueError
        If the operations are no group or do not fit the cell, or the space group is unknown, or its
        symbol and its number contradict each other.
    """
    lines = block.column(*OPERATIONS)
    if lines == []:
        raise ValueError("has a list of symmetry operations without any")
    if lines and any(line not in {"?", "."} for line in lines):
        setting = _explicit(lines, block.column(*CENTRINGS))
        if not setting.fits(lattice):
            raise ValueError("has symmetry operations that do not fit its cell")
        return [setting]
    halls = _halls(block)
    if halls is None:
        if any(name.startswith("_space_group_magn") for name in block.values):
            raise ValueError("names a magnetic space group but lists no operations")
        identity = np.eye(3, dtype=np.int64)[None]
        return [Setting(identity, np.zeros((1, 3)), "P 1", "no symmetry is given: read as P 1")]
    fitting = [(hall, setting) for hall in halls if (setting := _setting(hall)).fits(lattice)]
    if not fitting:
        raise ValueError(f"has a cell that {_setting(halls[0]).name} does not allow")
    axes = _axes(fitting[0][0])
    return [setting for hall, setting in fitting if _axes(hall) == axes]


def stated_number(block: CifBlock) -> int | None:
    """Read the number of the space group: as given, or that of a symbol that is known."""
    number = block.number(*NUMBERS)
    if number is not None and number > 0:
        return int(number)
    name = block.text(*NAMES)
    halls = _by_symbol().get(_plain(name)[0]) if name else None
    return _types()[halls[0]].number if halls else None


def _halls(block: CifBlock) -> list[int] | None:
    """Find the settings (Hall numbers of spglib) that names and numbers of a block mean."""
    hall, name, number = block.text(*HALL), block.text(*NAMES), block.number(*NUMBERS)
    by_hall = _by_hall().get(_spaced(hall)) if hall else None
    plain, suffix = _plain(name) if name else ("", "")
    by_name = _by_symbol().get(plain)
    of_number = [h for h, kind in _types().items() if kind.number == number]
    if hall is None and name is None and number is None:
        return None
    if by_name and of_number and not set(by_name) & set(of_number):
        stated = _types()[by_name[0]].number
        raise ValueError(f"names {excerpt(name)} (number {stated}) but gives number {number:g}")
    if by_hall and by_name and _types()[by_hall].number != _types()[by_name[0]].number:
        raise ValueError(f"names {excerpt(name)} but gives the Hall symbol {excerpt(hall)}")
    if by_hall:
        return [by_hall]
    halls = by_name or (of_number if not name or len(of_number) == 1 else [])
    if suffix:
        halls = [h for h in halls if suffix in {_types()[h].choice, _types()[h].choice[:1]}]
    if not halls:
        symbol = name if name is not None else hall if hall is not None else f"{number:g}"
        raise ValueError(
            f"has no symmetry operations, and its space group {excerpt(symbol)!r} "
            + (f"(number {number:g}) " if number is not None and symbol is name else "")
            + "is unknown"
        )
    return halls


def _axes(hall: int) -> str:
    """Name the setting but for its origin."""
    kind = _types()[hall]
    return f"{kind.international_full} {kind.choice.lstrip('12')}"


def _setting(hall: int) -> Setting:
    import spglib

    operations, kind = spglib.get_symmetry_from_database(hall), _types()[hall]
    symbol = kind.international.split("=")[-1].strip()
    name = f"{symbol} :{kind.choice}" if kind.choice else symbol
    return Setting(operations["rotations"].astype(np.int64), operations["translations"], name)


@cache
def _types() -> dict[int, Any]:
    import spglib

    return {hall: spglib.get_spacegroup_type(hall) for hall in range(1, 531)}


@cache
def _by_hall() -> dict[str, int]:
    settings: dict[str, int] = {}
    for hall, kind in _types().items():
        settings.setdefault(_spaced(kind.hall_symbol), hall)
    return settings


@cache
def _by_symbol() -> dict[str, list[int]]:
    """List the settings by every usual form of their symbols, the standard one first."""
    settings: dict[str, list[int]] = defaultdict(list)
    short: dict[str, list[int]] = defaultdict(list)
    for hall, kind in _types().items():
        full = kind.international_full
        forms = {full, *kind.international.split("=")}
        if 3 <= kind.number <= 15:
            forms = {full, re.sub(r" 1\b", "", full)}
            short[_plain(kind.international_short)[0]].append(hall)
        if kind.number in _E_GLIDES:
            forms |= {form.replace("e", letter) for form in forms for letter in "abc"}
        if kind.number >= 195:
            forms |= {form.replace("-3", "3") for form in forms}
        for form in {_plain(form)[0] for form in forms}:
            halls = settings[form]
            if not halls or _types()[halls[0]].number == kind.number:
                halls.append(hall)
    return short | settings


def _plain(symbol: str) -> tuple[str, str]:
    """Split a Hermann-Mauguin symbol into its letters without spaces, and its suffix."""
    text, _, suffix = symbol.partition(":")
    text = re.sub(r"[\s_()]", "", text).lower()
    suffix = suffix.strip()
    if not suffix and (match := re.fullmatch(r"(.+?)(o1|o2|[hrsz])", text)):
        text, suffix = match.groups()
    return text, _SUFFIXES.get(suffix.lower(), suffix)


def _spaced(symbol: str) -> str:
    return " ".join(symbol.lower().split())


def _explicit(lines: list[str], centrings: list[str] | None) -> Setting:
    """Read operations such as ``-y+1/4,x,z`` and check that they are a group.

    Raises
    ------
    ValueError
        If one cannot be read, there are too many, or products are missing.
    """
    if len(lines) > MAX_OPERATIONS:
        raise ValueError(f"has {len(lines)} symmetry operations, at most {MAX_OPERATIONS} are read")
    pairs = [_operation(line) for line in dict.fromkeys(lines)]
    shifts = [_operation(line)[1] for line in centrings or ["x,y,z"]]
    rotations = np.array([rotation for _ in shifts for rotation, _ in pairs])
    translations = np.array(
        [(shift + translation) % 1.0 for shift in shifts for _, translation in pairs]
    )
    _check_group(rotations, translations)
    return Setting(rotations, translations, "its symmetry operations")


def _operation(text: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read one operation; a fourth part, the time reversal of magnetic groups, is left out."""
    components = re.sub(r"\s", "", text.lower()).split(",")
    if len(components) not in {3, 4}:
        raise ValueError(f"has the symmetry operation {excerpt(text)!r}: three parts are needed")
    rotation, translation = np.zeros((3, 3), dtype=np.int64), np.zeros(3)
    for row, component in enumerate(components[:3]):
        position = 0
        while position < len(component):
            match = _TERM.match(component, position)
            if not match or match.end() == position or not (match.group(2) or match.group(4)):
                raise ValueError(f"has the symmetry operation {excerpt(text)!r}, which is none")
            position = match.end()
            sign = -1 if match.group(1) == "-" else 1
            value = float(match.group(2) or 1) / float(match.group(3) or 1)
            if match.group(4):
                rotation[row, "xyz".index(match.group(4))] += sign * round(value)
            else:
                translation[row] += sign * value
    if abs(round(np.linalg.det(rotation))) != 1:
        raise ValueError(f"has the symmetry operation {excerpt(text)!r}, which is none")
    exact = np.round(translation * 24) / 24  # 0.333 is a third
    return rotation, np.where(np.abs(translation - exact) < 0.004, exact, translation) % 1.0


def _check_group(rotations: NDArray[np.int64], translations: NDArray[np.float64]) -> None:
    """Refuse a list of operations in which the product of two is missing."""
    if np.abs(rotations).max() > 3:
        raise ValueError("has symmetry operations that do not fit any cell")
    weights = 7 ** np.arange(9)
    keys = (rotations + 3).reshape(-1, 9) @ weights
    products = np.einsum("iab,jbc->ijac", rotations, rotations)
    product_keys = (products + 3).reshape(len(keys), len(keys), 9) @ weights
    shifts = np.einsum("iab,jb->ija", rotations, translations) + translations[:, None]
    missing = 0
    for key in np.unique(product_keys):
        listed = translations[keys == key]
        needed = shifts[product_keys == key]
        if not len(listed):
            missing += 1
            continue
        gaps = needed[:, None] - listed[None]
        gaps = np.abs(gaps - np.round(gaps)).max(axis=2).min(axis=1)
        missing += bool((gaps > 0.01).any())
    if missing:
        raise ValueError(
            f"lists {len(keys)} symmetry operations that are no group: products of them are missing"
        )
