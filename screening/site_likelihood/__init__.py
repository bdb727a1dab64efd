"""Which elements a crystallographic site suits, from its geometry alone (Ryan et al. 2018).

Ryan, Lengyel & Shatruk 2018, doi:10.1021/jacs.8b03913: fingerprints of the surroundings of a site,
networks that learn which elements occur in such surroundings, and the likelihood of a crystal as
the product over its unique sites.
"""

CHECKPOINT = "site-likelihood"
"""Bundled checkpoint of the networks."""
BANK = "prototypes"
"""Bundled bank whose prototypes are the templates."""
MAX_ELEMENTS = 6
"""Most elements of a chemical system whose compositions are ranked."""
