"""Generate the sample gallery, which is used until a picture folder is configured."""
