"""Streamlit user interface: page components, sidebar, access control and session state."""
