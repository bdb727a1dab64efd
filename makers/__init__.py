"""jobflow Makers, one file per stage; import them by module (`makers.relax.RelaxMaker`)."""
