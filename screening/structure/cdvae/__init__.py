"""Crystals from a conditional diffusion variational autoencoder, given composition and pressure.

Cond-CDVAE (Luo et al. 2024, doi:10.1038/s41524-024-01443-y), after CDVAE (Xie et al. 2022,
https://openreview.net/forum?id=03RLpj-tc_). The backbone is PaiNN (Schütt et al. 2021,
arXiv:2102.03150) in place of DimeNet++ and GemNet, which need no triplets and no package.
"""
