"""The gallery page: browse, open, add and compare pictures."""
