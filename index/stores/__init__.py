"""Where vectors are searched on this machine."""
