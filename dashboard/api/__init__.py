"""The JSON API: what the pages show, typed, paged and documented."""
