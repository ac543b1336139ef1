"""From pixels to vectors to a ranking. Knows no index on disk and no web page."""
