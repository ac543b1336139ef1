"""Answer many queries at once, and evaluate rankings against labelled data sets or user feedback."""
