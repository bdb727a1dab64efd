"""Likelihood of elements on sites: the trained networks, ready for use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from screening.checkpoints import load_checkpoint
from screening.elements import MAX_Z
from screening.features.network import restore
from screening.site_likelihood.cache import SiteCache
from screening.site_likelihood.network import SiteNetwork
from screening.site_likelihood.site_descriptors import Sites, fingerprints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from screening.crystal.crystals import Crystal
    from screening.prototypes.bank import Bank
    from screening.schemas import CheckpointRef

Singles = NDArray[np.float32]

SITE_CLASS = "screening.site_likelihood.likelihood:SiteLikelihood"
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
        restore(self.network, dict(tensors))
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
            Take what the checkpoint holds of the bank's prototypes, in 8 bits, which needs no
            fingerprints.

        Returns
        -------
        Shape ``(o, 104)``; columns are atomic numbers, and column 0, no element, is the floor.
        """
        if self.cache is None or not cached:
            return self.of_crystals([bank.crystal(p) for p in range(bank.n_prototypes)])
        missing, orbits, latent, ratios = self.cache.find(bank)
        result = np.empty((len(bank.letters), MAX_Z + 1), dtype=np.float32)
        result[orbits] = self._of_latent(latent, ratios)
        others = np.ones(len(result), dtype=bool)
        others[orbits] = False
        result[others] = self.of_crystals([bank.crystal(p) for p in missing.tolist()])
        return result

    def cache_of(self, bank: Bank) -> SiteCache:
        """Make a cache of the sites of a bank."""
        sites = Sites.of([bank.crystal(p) for p in range(bank.n_prototypes)])
        return SiteCache.of(bank, *self._encode(sites, np.arange(len(sites))))

    def of_crystals(self, crystals: Sequence[Crystal]) -> Singles:
        """Give log P(element | site) of all orbits of crystals, whatever their elements and size.

        Returns
        -------
        Shape ``(o, 104)``, as `of_bank`.
        """
        return self.of_sites(Sites.of(crystals))

    def of_sites(self, sites: Sites, rows: NDArray[np.int64] | None = None) -> Singles:
        """Give log P(element | site) of sites, all or those in `rows`; shape ``(n, 104)``."""
        rows = np.arange(len(sites)) if rows is None else rows
        return self._of_latent(*self._encode(sites, rows))

    @torch.no_grad()
    def _encode(self, sites: Sites, rows: NDArray[np.int64]) -> tuple[Singles, Singles]:
        """Latent variables ``(n, l)`` and ratios ``(n,)`` of sites."""
        parts = [np.zeros((0, self.network.latent), dtype=np.float32)]
        for start in range(0, len(rows), _CHUNK):
            part = torch.from_numpy(fingerprints(sites, rows[start : start + _CHUNK]))
            parts.append(self.network.encode(part)[0].numpy())
        return np.concatenate(parts), sites.ratios[rows].astype(np.float32)

    @torch.no_grad()
    def _of_latent(self, latent: Singles, ratios: Singles) -> Singles:
        """Floored log-likelihoods, shape ``(n, 104)``."""
        logits = self.network.classify(torch.from_numpy(latent), torch.from_numpy(ratios))
        logs = (
            torch.log_softmax(logits, dim=1)
            if self.classifier == "softmax"
            else torch.nn.functional.logsigmoid(logits)
        )
        result: Singles = logs.clamp_min(float(np.log(FLOOR))).numpy()
        result[:, 0] = np.log(FLOOR)
        return result

    def element_weights(self) -> Singles:
        """Weights of the site classifier's last layer by atomic number, shape ``(104, width)``."""
        last = self.network.site[-1]
        assert isinstance(last, torch.nn.Linear)
        weights: Singles = last.weight.detach().numpy()
        return weights

    @torch.no_grad()
    def logits(self, sites: Sites, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the logits of the site and of the size classifier for sites, each ``(n, 104)``."""
        latent, ratios = (torch.from_numpy(array) for array in self._encode(sites, rows))
        nearest = torch.from_numpy(sites.nearest[rows]).float()
        logits = self.network.classify(latent, ratios)
        return logits, self.network.refine(latent, logits, nearest)
