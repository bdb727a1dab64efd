"""The engine that is measured, and what is kept of a measurement that is interrupted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from screening.energy_scale.labelled import row_crystals
from screening.engines.descent import RelaxOptions, relax_batch
from screening.errors import EngineError
from screening.identity import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from screening.engines import Crystal, Engine
    from screening.schemas.relax import RelaxationDoc

VERSION = 1
"""Raised when the same crystal would give another result: kept results are then made anew."""


@dataclass(frozen=True)
class Subject:
    """An engine under measurement.

    Attributes
    ----------
    engine
        The engine.
    state
        Folder for finished crystals; None keeps none.
    seed
        Seed of bootstrap intervals.
    relax
        Relax crystals before their energy counts.
    largest
        Largest number of atoms of a crystal with phonons; None for any.
    nothing
        Values of a crystal on which a computation failed.
    """

    engine: Engine
    state: Path | None
    seed: int = 0
    relax: bool = True
    largest: int | None = None
    nothing: ClassVar[dict[str, Any]] = {"peak": None, "bulk": None, "shear": None}

    @staticmethod
    def crystals(table: pd.DataFrame) -> list[Crystal]:
        """Make the crystals of a table."""
        return row_crystals(table)

    def remembered(
        self, kind: str, crystal: Crystal, compute: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Give the result of one crystal from the folder, or compute and keep it."""
        if self.state is None:
            return self._guarded(compute)
        key = content_hash(
            [VERSION, self.engine.name, kind, crystal.numbers, crystal.cell, crystal.positions]
        )
        path = self.state / "potential" / f"{kind}-{key[:32]}.json"
        if path.is_file():
            known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return known
        result = self._guarded(compute)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(result), encoding="utf-8")
        partial.replace(path)
        return result

    def _guarded(self, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Compute; a crystal on which that fails is a result with a reason."""
        try:
            return compute()
        except EngineError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever numpy, spglib or phonopy raise
            return self.nothing | {"reason": f"{type(error).__name__}: {error}"[:300]}

    def relaxed(self, crystal: Crystal, options: RelaxOptions) -> tuple[Crystal, RelaxationDoc]:
        """Relax a copy of a crystal."""
        copy = type(crystal)(crystal.numbers, crystal.cell.copy(), crystal.positions.copy())
        (document,) = relax_batch([copy], options, self.engine)
        return copy, document
