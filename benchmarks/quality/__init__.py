"""How good the results are."""
