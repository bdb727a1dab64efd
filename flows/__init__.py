"""Flows: the campaign, one composition's prediction, and how they are launched."""
