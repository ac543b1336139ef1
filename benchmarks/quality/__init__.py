"""Quality of the results."""
