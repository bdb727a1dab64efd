"""Which candidates go to DFT: the lowest above the hull, but not all of one kind.

Greedy and repeatable: contenders are looked at from the lowest energy above the hull up; each is
taken unless enough of its formula, prototype or chemical system are in, or it costs more than what
is left. The competing phases that a contender's system needs are paid by the first that needs them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Contender:
    """A candidate that may go to DFT.

    Attributes
    ----------
    structure_id
        The relaxed structure.
    formula, chemsys
        Of the structure.
    prototype
        What counts as the same kind: anonymous formula, space group and atoms of the cell.
    energy_above_hull
        By the potential (eV/atom).
    core_hours
        Estimated cost.
    competing
        Estimated cost of the competing phases that its hull needs, by structure (core hours).
    """

    structure_id: str
    formula: str
    chemsys: str
    prototype: str
    energy_above_hull: float
    core_hours: float
    competing: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """How many, of which kinds, for how much.

    Attributes
    ----------
    top
        Most candidates.
    budget
        Most core hours, competing phases included; None for any.
    per_formula, per_prototype, per_system
        Most candidates of one formula, prototype and chemical system; None for any.
    """

    top: int
    budget: float | None = None
    per_formula: int | None = None
    per_prototype: int | None = None
    per_system: int | None = None


@dataclass
class Selection:
    """What was chosen, and why the others were not.

    Attributes
    ----------
    chosen
        In order.
    competing
        Competing phases that are computed, too, with their costs (core hours).
    passed_over
        Structure -> reason.
    """

    chosen: list[Contender] = field(default_factory=list)
    competing: dict[str, float] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)

    @property
    def core_hours(self) -> float:
        """Estimated cost of all of it."""
        return sum(one.core_hours for one in self.chosen) + sum(self.competing.values())


def select(contenders: Iterable[Contender], policy: Policy) -> Selection:
    """Choose the candidates for DFT.

    Parameters
    ----------
    contenders
        In any order.
    policy
        The limits.
    """
    result = Selection()
    counts: Counter[tuple[str, str]] = Counter()
    taken: set[str] = set()
    limits = {
        "formula": policy.per_formula,
        "prototype": policy.per_prototype,
        "chemsys": policy.per_system,
    }
    for one in sorted(contenders, key=lambda c: (c.energy_above_hull, c.structure_id)):
        kinds = {name: (name, getattr(one, name)) for name in limits}
        full = [n for n, limit in limits.items() if limit is not None and counts[kinds[n]] >= limit]
        paid = result.competing.keys() | taken
        new = {name: cost for name, cost in one.competing.items() if name not in paid}
        price = one.core_hours + sum(new.values())
        if len(result.chosen) >= policy.top:
            reason = f"enough: top is {policy.top}"
        elif full:
            reason = f"enough of this {full[0]}"
        elif policy.budget is not None and result.core_hours + price > policy.budget:
            left = policy.budget - result.core_hours
            reason = f"{price:.3g} core hours, {left:.3g} of the budget are left"
        else:
            result.chosen.append(one)
            taken.add(one.structure_id)
            result.competing.pop(one.structure_id, None)
            result.competing |= new
            counts.update(kinds.values())
            continue
        result.passed_over[one.structure_id] = reason
    return result
