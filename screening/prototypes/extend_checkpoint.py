"""One command's work: a bank, extended with crystals from elsewhere, becomes a checkpoint."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.checkpoints import DataSource, bundled_names, read_card
from screening.checkpoints.card import Card
from screening.errors import CheckpointError, InputError
from screening.identity import content_hash
from screening.progress import report
from screening.prototypes.bank import Bank
from screening.prototypes.bank_file import BANK_CLASS, write_bank
from screening.prototypes.build import STAGE
from screening.prototypes.extend import Extender, Extension
from screening.prototypes.train import PACKAGES, REFERENCES, BankOptions, learn
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pymatgen.core import Structure

    from screening.readers.files import ReadStructure

BUNDLED = "prototypes"
"""The bank that is extended where none is named."""
OWN = "this bank"


@dataclass(frozen=True)
class Addition:
    """What is added, and to what.

    Attributes
    ----------
    source
        Name of the source, for the card.
    origin, licence
        Where the crystals come from, and what may be done with them.
    out
        Folder of the checkpoint that is written; its name is the bank's name.
    base
        Bank that is extended. Left out: what is in `out`, else the bundled one.
    max_atoms
        Most atoms in a primitive cell.
    elements
        If given, only crystals of these elements.
    fit
        Learn anew which elements replace each other, from the whole bank.
    seed
        Seed of that.
    """

    source: str
    origin: str
    licence: str
    out: Path
    base: str | None = None
    max_atoms: int | None = None
    elements: frozenset[str] | None = None
    fit: bool = False
    seed: int = 0


def add_to_bank(items: Iterable[ReadStructure], addition: Addition) -> tuple[Card, Extension]:
    """Extend a bank and write it; the base keeps what it knows and has learned.

    Where nothing is new and `out` is the base itself, it is left as it is.

    Parameters
    ----------
    items
        What a reader yields.
    addition
        What to do.

    Returns
    -------
    The card of the bank, and what became of the crystals.

    Raises
    ------
    InputError
        If no crystal could be used, or `out` has the name of a bundled checkpoint.
    CheckpointError
        If the base is no bank.
    """
    start = time.monotonic()
    if addition.out.name in bundled_names():
        raise InputError(
            f"{addition.out.name!r} is a bundled checkpoint: give your bank another name"
        )
    base = addition.base or _default_base(addition.out)
    old = read_card(base)
    bank = Bank.load(base)
    options = _options(old)
    extender = Extender(bank, options.tolerance())
    digests = []
    for number, item in enumerate(items):
        if number % 100 == 0:
            report(STAGE, number, None, "reading")
        structure, reason = _usable(item, addition.elements)
        if structure is None:
            extender.report.refuse(item.label, reason)
            continue
        digests.append(_digest(structure))
        extender.add(item.label, structure, addition.max_atoms)
    done = extender.report
    if not done.n_added + done.n_known:
        first = "; the first: {}: {}".format(*done.refused[0]) if done.refused else ""
        raise InputError(f"{addition.source!r} gave no usable structure{first}")
    if not done.n_added and not addition.fit and _is_same(base, addition.out):
        return old, done
    made = extender.bank()
    metrics: dict[str, float] = {}
    if addition.fit:
        made, metrics = learn(made, options, addition.seed)
    card = _card(old, options, addition, done.n_added, content_hash(sorted(digests)))
    card.metrics = plain_metrics(
        {**metrics, "prototypes": made.n_prototypes, "decorations": len(made)}
    )
    card.wall_time = time.monotonic() - start
    return write_bank(made, addition.out, card), done


def _card(base: Card, options: BankOptions, addition: Addition, n_added: int, sha256: str) -> Card:
    """Describe the extended bank; `sha256` is that of the crystals that were read."""
    source = DataSource(
        name=addition.source,
        sha256=sha256,
        rows=n_added,
        origin=addition.origin,
        licence=addition.licence,
    )
    return Card(
        name=addition.out.name,
        version="1",
        model=BANK_CLASS,
        description=f"The bank {base.name!r}, extended.",
        arguments={},
        hyperparameters=options.model_dump() | _lineage(base, fitted=addition.fit),
        data=[*base.data, source] if n_added else base.data,
        split=base.split,
        metrics={},
        seed=addition.seed if addition.fit else base.seed,
        wall_time=0.0,
        device="cpu",
        packages={name: version(name) for name in PACKAGES},
        references=REFERENCES,
    )


def _default_base(out: Path) -> str:
    """Extend what is there already, else the bundled bank."""
    try:
        read_card(str(out.absolute()))
    except CheckpointError:
        return BUNDLED
    return str(out.absolute())


def _is_same(base: str, out: Path) -> bool:
    try:
        return read_card(base).sha256 == read_card(str(out.absolute())).sha256
    except CheckpointError:
        return False


def _options(card: Card) -> BankOptions:
    """Options that the base was made with."""
    known = BankOptions.model_fields
    return parse_options(
        BankOptions, {name: str(v) for name, v in card.hyperparameters.items() if name in known}
    )


def _lineage(card: Card, *, fitted: bool) -> dict[str, Any]:
    """Say which bank was extended, and where the substitution model comes from."""
    model = card.hyperparameters.get("model_of", OWN)
    before = card.sha256 if model == OWN else model
    return {"base": card.sha256, "model_of": OWN if fitted else before}


def _usable(item: ReadStructure, elements: frozenset[str] | None) -> tuple[Structure | None, str]:
    if item.structure is None:
        return None, item.reason or "unreadable"
    others = {site.specie.symbol for site in item.structure} - (elements or set())
    if elements is not None and others:
        return None, f"holds {', '.join(sorted(others))}: outside of the chemical system"
    return item.structure, ""


def _digest(structure: Structure) -> str:
    """Hash lattice, elements and coordinates, rounded to 1e-5."""
    return content_hash(
        structure.lattice.matrix.round(5).tolist(),
        structure.atomic_numbers,
        (np.array(structure.frac_coords).round(5) + 0.0).tolist(),
    )
