"""The learned ranking of candidates.

Boosted trees correct the likelihood that retrieval gives to each candidate. A second ensemble ranks
the likeliest candidates again, with their energies in a machine-learned potential. Both are fitted
on compositions that were left out of the bank in turn: what retrieval does for a new formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from screening.checkpoints import load_checkpoint
from screening.engines.single_points import single_points
from screening.errors import CheckpointError
from screening.prototypes.ranking_features import FEATURES, describe, describe_energies, start_of
from screening.prototypes.retrieval import diverse_order
from screening.training.trees import Trees, shares_of, unpack_text

if TYPE_CHECKING:
    from screening.engines.base import Engine
    from screening.prototypes.bank import Bank
    from screening.prototypes.proposals import Candidates
    from screening.schemas import CheckpointRef

Floats = NDArray[np.float64]

RANKER_CLASS = "screening.prototypes.ranker:Ranker"


class Ranker:
    """Ranks the candidates of a composition.

    Parameters
    ----------
    arguments
        ``engine``: name of the potential whose energies the second ensemble knows, or None;
        ``evaluated``: how many candidates get an energy; ``features``: how many there are.
    tensors
        Both ensembles, and the fingerprints of the formulas that they were fitted on.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        self.ref = ref
        self.engine: str | None = arguments["engine"]
        self.evaluated: int = arguments["evaluated"]
        self.seen_formulas: NDArray[np.uint32] = tensors["seen_formulas"]
        self._plain = Trees(unpack_text(tensors["plain"]))
        self._energetic = Trees(unpack_text(tensors["energetic"]))

    @classmethod
    def load(cls, checkpoint: str = "ranker") -> Self:
        """Load a checkpoint by name or path.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of another kind.
        """
        found = load_checkpoint(checkpoint)
        ranker = found.build(cls, "ranker")
        if found.card.arguments.get("features") != FEATURES:
            raise CheckpointError(
                f"the ranking {checkpoint!r} was fitted on other features than this version has: "
                "fit it again (screening train ranker)"
            )
        return ranker

    def rank(
        self,
        bank: Bank,
        candidates: Candidates,
        n: int,
        engine: Engine | None = None,
    ) -> list[tuple[int, float]]:
        """Choose up to `n` candidates: known crystals of the target, then by likelihood added.

        Parameters
        ----------
        bank
            The bank that the candidates come from.
        candidates
            What there is to choose from.
        n
            Most candidates that are chosen.
        engine
            The potential; without it the second ensemble is left out.

        Returns
        -------
        ``(index, likelihood that its group of similar candidates adds)``, best first.
        """
        features, start = describe(bank, candidates), start_of(candidates)
        shares = _shares(self._plain.correct(features, start))
        known = sum(item.known for item in candidates.proposed)
        places = candidates.fingerprints
        if engine is None or not self._energetic:
            return diverse_order(shares, places, n, n_first=known)
        first = [i for i, _ in diverse_order(shares, places, self.evaluated, n_first=known)]
        part = np.sort(first)
        energies = single_points([candidates.proposed[i].cell for i in part.tolist()], engine)
        inputs = np.hstack([features[part], describe_energies(energies, start[part])])
        again = shares.copy()
        again[part] = _shares(self._energetic.correct(inputs, start[part])) * shares[part].sum()
        return diverse_order(again, places, n, n_first=known)


def _shares(scores: Floats) -> Floats:
    return shares_of(scores, np.zeros(len(scores), dtype=np.int64))
