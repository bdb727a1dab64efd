"""Classes that cards of earlier versions name by the modules in which they were."""

FORMER_NAMES = {
    "screening.generation.model:ConvGenerator": "screening.generation.matgan.model:ConvGenerator",
    "screening.generation.model:SlotGenerator": "screening.generation.matgan.model:SlotGenerator",
    "screening.generation.set_model:SetModel": "screening.generation.autoregressive.model:SetModel",
    "screening.structure.bank:Bank": "screening.prototypes.bank:Bank",
    "screening.structure.maps.model:MapModel": "screening.structure.alphacrystal.model:MapModel",
    "screening.structure.ranker:Ranker": "screening.prototypes.ranker:Ranker",
    "screening.structure.sites.likelihood:SiteLikelihood": (
        "screening.site_likelihood.likelihood:SiteLikelihood"
    ),
}
"""Former 'module:class' -> the present one. A class that moves gets a line; none is removed."""
