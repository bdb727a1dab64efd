"""The pages: what the API answers, as HTML that works without scripts."""
