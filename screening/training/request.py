"""What a trainer and an evaluator are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from screening.errors import InputError
from screening.training.data import NOT_STATED, describe

if TYPE_CHECKING:
    from pathlib import Path

    from screening.checkpoints import DataSource

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class TrainRequest:
    """One call of ``screening train``.

    Attributes
    ----------
    data
        Parquet files, at least one.
    out
        Folder of the checkpoint that is written.
    seed
        Seed of splits, initial weights and batches.
    device
        ``cpu`` or ``cuda``.
    resume
        Go on from the state kept in ``out`` by an interrupted run.
    options
        Hyperparameters by name, as text (``--set width=256``).
    origin, licence
        Of the data, for the card, where the files say nothing of themselves.
    """

    data: tuple[Path, ...]
    out: Path
    seed: int = 0
    device: str = "cpu"
    resume: bool = False
    options: dict[str, str] = field(default_factory=dict)
    origin: str | None = None
    licence: str | None = None

    def source(self, path: Path, rows: int) -> DataSource:
        """Describe one of the files for the card; `rows` of it were used."""
        found = describe(path, rows)
        given = {"origin": self.origin, "licence": self.licence}
        missing = {
            name: text
            for name, text in given.items()
            if text is not None and getattr(found, name) == NOT_STATED
        }
        return found.model_copy(update=missing)


@dataclass(frozen=True)
class EvaluateRequest:
    """One call of ``screening evaluate``.

    Attributes
    ----------
    data
        Parquet file.
    checkpoint
        Name or path of the checkpoint or bank; None trains one that has not seen the held-out part,
        where the evaluator can do that.
    holdout
        How the measured part is chosen: ``formula`` (rows whose formula the model has not seen) or
        ``prototype`` (whole prototype families).
    sample
        Largest number of items that are measured; None for all.
    top_k
        Longest list of proposals that counts.
    seed
        Seed of the split, the sample and the bootstrap.
    plots
        Whether figures will be drawn: some need numbers that nothing else needs.
    state
        Folder for finished parts of long measurements; None keeps none.
    options
        Further options by name, as text.
    """

    data: Path
    checkpoint: str | None = None
    holdout: str = "formula"
    sample: int | None = None
    top_k: int = 20
    seed: int = 0
    plots: bool = False
    state: Path | None = None
    options: dict[str, str] = field(default_factory=dict)


def parse_options(model: type[T], options: dict[str, str]) -> T:
    """Validate options given as text against a pydantic model.

    Raises
    ------
    InputError
        If an option is unknown or has the wrong type; the message lists the known ones.
    """
    try:
        return model.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"option {name!r}: {first['msg']}; known are {sorted(model.model_fields)}"
        ) from None


def plain_metrics(value: Any) -> Any:
    """Turn numpy scalars inside a metrics dictionary into Python numbers."""
    if isinstance(value, dict):
        return {str(key): plain_metrics(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_metrics(item) for item in value]
    return value.item() if hasattr(value, "item") else value
