"""Questions to the database, each on an index."""

from stores.queries.documents import Page, campaign_funnel, count, find, find_campaign

__all__ = ["Page", "campaign_funnel", "count", "find", "find_campaign"]
