"""The evaluate page: how good the saved searches are."""
