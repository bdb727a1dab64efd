"""Published figures beside those of a card. They were measured on other data, mostly easier splits.

A row is here only if the publication states the number; `note` says what differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screening.checkpoints import Card

PERCENT, ENERGY, LENGTH, PLAIN = "%", "eV/atom", "Å", ""


@dataclass(frozen=True)
class Published:
    """One figure of a publication, and where the card has the same quantity.

    Attributes
    ----------
    path
        Names of the metric in `Card.metrics`, separated by dots.
    what
        The quantity.
    value
        Its published value; shares are between 0 and 1.
    unit
        One of `PERCENT`, `ENERGY`, `LENGTH` and `PLAIN`.
    source, doi
        The publication.
    note
        What differs.
    higher
        Whether a higher value is better.
    """

    path: str
    what: str
    value: float
    unit: str
    source: str
    doi: str
    note: str
    higher: bool = True


@dataclass(frozen=True)
class Comparison:
    """A published figure beside the card's."""

    published: Published
    here: float

    @property
    def better(self) -> bool:
        """Whether the card's is at least as good."""
        difference = self.here - self.published.value
        return difference >= 0 if self.published.higher else difference <= 0

    def text(self, value: float) -> str:
        """Write a value with its unit."""
        unit = self.published.unit
        if unit == PERCENT:
            return f"{100 * value:.1f} %"
        return f"{value:.3f} {unit}".strip()


def _matgan(path: str, what: str, value: float) -> Published:
    note = "2 million samples of a network trained on formulas of the ICSD"
    return Published(
        path, what, value, PERCENT, "Dan et al. 2020", "10.1038/s41524-020-00352-0", note
    )


def _cryspnet(path: str, what: str, value: float) -> Published:
    doi, note = "10.1103/PhysRevMaterials.4.123802", "crystals of the ICSD, random split"
    return Published(path, what, value, PERCENT, "Liang et al. 2020", doi, note)


_ALPHACRYSTAL = ("Hu et al. 2023", "10.1021/acsomega.3c03115", "up to 12 atoms, 1,136 crystals")
_GENERATOR = (
    _matgan("valid", "Samples that are neutral and balanced in electronegativity", 0.845),
    _matgan("novel_training", "Samples that are not in the training data", 0.9253),
)

PUBLISHED: dict[str, tuple[Published, ...]] = {
    "compositions": _GENERATOR,
    "matgan": _GENERATOR,
    "energy": (
        Published(
            "legacy.mae", "Mean absolute error of the formation energy", 0.0862, ENERGY,
            "CrabNet, leaderboard of Matbench", "10.1038/s41524-020-00406-3",
            "all polymorphs as they are; here the lowest energy of each formula",
            higher=False,
        ),
    ),
    "symmetry": (
        _cryspnet("bravais.top1", "Bravais class, first", 0.542),
        _cryspnet("bravais.top2", "Bravais class, one of two", 0.706),
        Published(
            "lattice_given_z.cubic.a.r2", "Cubic lattice length with the atom count, R²", 0.973,
            PLAIN, "Li et al. 2021 (MLatticeABC)", "10.1021/acsomega.1c00781",
            "crystals of the Materials Project, random split",
        ),
    ),
    "site-likelihood": (
        Published(
            "size.error", "Sites whose likeliest element is wrong", 0.31, PERCENT,
            "Ryan et al. 2018", "10.1021/jacs.8b03913",
            "sites of the ICSD and COD, split by site; here by formula", higher=False,
        ),
    ),
    "maps": (
        Published(
            "composition.padded_accuracy", "Contacts of 66 pairs, from the composition", 0.927,
            PERCENT, *_ALPHACRYSTAL,
        ),
        Published(
            "composition.exact", "Contact maps without an error", 0.406, PERCENT, *_ALPHACRYSTAL
        ),
        Published(
            "composition.rmse", "Distances, root mean square error of a crystal", 0.9239, LENGTH,
            "AlphaCrystal-II", "10.48550/arXiv.2404.04810", "its own random split", higher=False,
        ),
    ),
}  # fmt: skip
"""By the name of the bundled checkpoint."""


def comparisons(card: Card) -> list[Comparison]:
    """Find the published figures of quantities that the card has measured."""
    found = []
    for published in PUBLISHED.get(card.name, ()):
        here = _metric(card.metrics, published.path)
        if here is not None:
            found.append(Comparison(published, here))
    return found


def _metric(metrics: dict[str, Any], path: str) -> float | None:
    value: Any = metrics
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else None
