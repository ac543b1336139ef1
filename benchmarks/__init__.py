"""What the program is measured by. Each module prints a table and keeps it in RESULTS.md."""
