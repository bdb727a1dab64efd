"""Any ASE calculator as an engine: crystals one after the other (doi:10.1088/1361-648X/aa680e)."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.engines.base import GPA_PER_EV_A3, Evaluation
from screening.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from screening.engines.base import Crystal


def load_callable(path: str) -> Callable[..., Any]:
    """Import ``module:callable``.

    Raises
    ------
    EngineError
        If the module cannot be imported or has no such callable.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(import_module(module), name)
    except ImportError as error:
        raise EngineError(
            f"engine {path!r} needs {error.name or module!r}, which is not installed ({error})"
        ) from error
    except AttributeError:
        raise EngineError(f"engine {path!r}: module {module!r} has no {name!r}") from None
    if not callable(found):
        raise EngineError(f"engine {path!r}: {name!r} in {module!r} cannot be called")
    result: Callable[..., Any] = found
    return result


class AseEngine:
    """An ASE calculator, made once and used for one crystal after the other.

    Parameters
    ----------
    name
        The energy source, as written on documents.
    path
        ``module:callable`` that returns a calculator.
    kwargs
        Its keyword arguments.
    device
        Passed on as ``device=`` when the callable takes it and `kwargs` does not set it.

    Raises
    ------
    EngineError
        If the calculator cannot be made.
    """

    def __init__(
        self, name: str, path: str, kwargs: Mapping[str, Any], device: str = "cpu"
    ) -> None:
        self.name = name
        make = load_callable(path)
        arguments = dict(kwargs)
        if "device" not in arguments and _takes_device(make):
            arguments["device"] = device
        try:
            self.calculator = make(**arguments)
        except Exception as error:  # whatever a foreign package raises
            raise EngineError(
                f"engine {path!r} with {arguments} failed: {type(error).__name__}: {error}"
            ) from error

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Evaluate crystals in order; what the calculator raises becomes the crystal's error."""
        return [self._one(crystal) for crystal in crystals]

    def _one(self, crystal: Crystal) -> Evaluation:
        from ase import Atoms

        atoms = Atoms(
            numbers=crystal.numbers, positions=crystal.positions, cell=crystal.cell, pbc=True
        )
        atoms.calc = self.calculator
        try:
            energy = float(atoms.get_potential_energy())
            forces = np.array(atoms.get_forces(), dtype=np.float64)
            stress = np.array(atoms.get_stress(voigt=False), dtype=np.float64)
        except Exception as error:  # noqa: BLE001 - one crystal's fault must stay its own
            return Evaluation.failed(len(crystal), f"{type(error).__name__}: {error}"[:300])
        return Evaluation(energy, forces, stress * GPA_PER_EV_A3, _magmoms(self.calculator))


def _magmoms(calculator: Any) -> Any:
    """Magnetic moments, if the calculation gave them anyway."""
    moments = getattr(calculator, "results", {}).get("magmoms")
    return None if moments is None else np.array(moments, dtype=np.float64)


def _takes_device(make: Callable[..., Any]) -> bool:
    try:
        return "device" in signature(make).parameters
    except (TypeError, ValueError):
        return False
