"""Parts of a page that every page may use."""
