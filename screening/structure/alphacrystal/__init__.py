"""Contact maps and distance matrices from compositions, and crystals from them.

AlphaCrystal (Hu et al. 2023, doi:10.1021/acsomega.3c03115) and AlphaCrystal-II (Song et al. 2024).
"""
