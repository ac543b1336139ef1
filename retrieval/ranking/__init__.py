"""From a descriptor to ranked hits: search, expand, diffuse, verify."""
