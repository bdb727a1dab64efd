"""Likelihood of elements on sites: the trained networks, ready for use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from screening.checkpoints import load_checkpoint
from screening.elements import MAX_Z
from screening.structure.sites.cache import SiteCache
from screening.structure.sites.fingerprints import Sites, fingerprints
from screening.structure.sites.network import SiteNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from screening.schemas import CheckpointRef
    from screening.structure.bank import Bank
    from screening.structure.crystals import Crystal

Singles = NDArray[np.float32]

SITE_CLASS = "screening.structure.sites.likelihood:SiteLikelihood"
FLOOR = 1e-6
"""Least likelihood, so that one site cannot rule a crystal out by itself."""
_CHUNK = 512


class SiteLikelihood:
    """Gives log P(element | site) from the topology of the site, without its size.

    Parameters
    ----------
    arguments
        ``network`` (arguments of `SiteNetwork`) and ``classifier`` (``softmax`` or ``sigmoid``).
    tensors
        Weights of the network by name, and the arrays of a `SiteCache`, if any.
    ref
        The checkpoint.
    """

    def __init__(
        self,
        arguments: Mapping[str, Any],
        tensors: Mapping[str, NDArray[Any]],
        ref: CheckpointRef,
    ) -> None:
        self.ref = ref
        self.classifier: str = arguments["classifier"]
        self.network = SiteNetwork(**arguments["network"])
        names = self.network.state_dict()
        weights = {name: torch.from_numpy(np.array(tensors[name])) for name in names}
        self.network.load_state_dict(weights)
        self.network.float().eval()
        self.cache = SiteCache.from_tensors(tensors)

    @classmethod
    def load(cls, name: str = "site-likelihood") -> Self:
        """Read a checkpoint (bundled name, user's name, or path).

        Raises
        ------
        CheckpointError
            If there is no such checkpoint, it is damaged, or it is of another kind.
        """
        return load_checkpoint(name).build(cls, "site-likelihood")

    def of_bank(self, bank: Bank, *, cached: bool = True) -> Singles:
        """Give log P(element | site) of all orbits of a bank's prototypes, in the bank's order.

        Parameters
        ----------
        bank
            Any bank, or part of one.
        cached
            Take what the checkpoint holds of the bank's prototypes, which is close to the exact
            value (the card's ``cache_error``) and needs no fingerprints.

        Returns
        -------
        Shape ``(o, 104)``; columns are atomic numbers, and column 0, no element, is the floor.
        """
        if self.cache is None or not cached:
            return self.of_crystals([bank.crystal(p) for p in range(bank.n_prototypes)])
        missing, orbits, values = self.cache.find(bank)
        result = np.empty((len(bank.letters), MAX_Z + 1), dtype=np.float32)
        result[orbits] = np.clip(values, np.log(FLOOR), 0.0)
        others = np.ones(len(result), dtype=bool)
        others[orbits] = False
        result[others] = self.of_crystals([bank.crystal(p) for p in missing.tolist()])
        result[:, 0] = np.log(FLOOR)
        return result

    def of_crystals(self, crystals: Sequence[Crystal]) -> Singles:
        """Give log P(element | site) of all orbits of crystals, whatever their elements and size.

        Returns
        -------
        Shape ``(o, 104)``, as `of_bank`.
        """
        return self.of_sites(Sites.of(crystals))

    def of_sites(self, sites: Sites, rows: NDArray[np.int64] | None = None) -> Singles:
        """Give log P(element | site) of sites, all or those in `rows`; shape ``(n, 104)``."""
        parts = [self._log_likelihood(logits) for logits, _ in self.logits(sites, rows)]
        result: Singles = np.concatenate([np.zeros((0, MAX_Z + 1), np.float32), *parts])
        np.maximum(result, np.log(FLOOR), out=result)
        result[:, 0] = np.log(FLOOR)
        return result

    def _log_likelihood(self, logits: torch.Tensor) -> Singles:
        logs = (
            torch.log_softmax(logits, dim=1)
            if self.classifier == "softmax"
            else torch.nn.functional.logsigmoid(logits)
        )
        values: Singles = logs.numpy()
        return values

    def element_weights(self) -> Singles:
        """Weights of the site classifier's last layer by atomic number, shape ``(104, width)``."""
        last = self.network.site[-1]
        assert isinstance(last, torch.nn.Linear)
        weights: Singles = last.weight.detach().numpy()
        return weights

    @torch.no_grad()
    def logits(
        self, sites: Sites, rows: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Logits of site and size classifier, each ``(n, 104)``, in chunks of the sites."""
        rows = np.arange(len(sites)) if rows is None else rows
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            x = torch.from_numpy(fingerprints(sites, part))
            latent, _ = self.network.encode(x)
            logits = self.network.classify(latent, torch.from_numpy(sites.ratios[part]).float())
            nearest = torch.from_numpy(sites.nearest[part]).float()
            yield logits, self.network.refine(latent, logits, nearest)
