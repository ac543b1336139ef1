"""What a person takes away from a search: tables, data sets, cut-out pictures, a page to send."""
