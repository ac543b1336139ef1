"""How results are ranked, as the visitor chooses it."""

import streamlit as st

LABELS = {"best": "Best", "fast": "Fast"}
"""The first is what a visit begins with."""
HELP = (
    "**Best** looks twice: it compares small details and follows likenesses between pictures. "
    "**Fast** is one vector search."
)


def ranking_choice() -> str:
    """Shows the choice; the ranking's name. It stays for the whole visit."""
    chosen = st.segmented_control(
        "Ranking",
        list(LABELS),
        default=next(iter(LABELS)),
        required=True,
        format_func=LABELS.__getitem__,
        key="ranking",
        persist_state="session",
        help=HELP,
    )
    return chosen or next(iter(LABELS))
