"""Export search results: tables, data sets, crops and sheets."""
