"""The API under the load of many clients."""
