"""How the API behaves under many clients."""
