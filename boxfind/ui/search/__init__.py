"""The search page: the query, the box, the results."""
