"""The application: settings become live objects, and people and programs come in."""
