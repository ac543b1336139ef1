"""Index page, for administrators: update and rebuild the index, check it, and serve an earlier one."""

import streamlit as st

from boxfind.ui.administration.checks import check, explain
from boxfind.ui.administration.history import history
from boxfind.ui.administration.network_advice import network_line
from boxfind.ui.administration.update import update
from boxfind.ui.index_facts import index_facts, skipped_table
from boxfind.ui.served_gallery import ready_gallery

gallery = ready_gallery()
st.header("Index", anchor=False)
names = ["Overview", "Skipped files", "History", "Check", "Find a picture"]
overview_tab, skipped_tab, history_tab, check_tab, explain_tab = st.tabs(names, key="index tab", on_change="rerun")
if overview_tab.open:
    with overview_tab:
        index_facts(gallery)
        network_line(gallery)
        update(gallery)
if skipped_tab.open:
    with skipped_tab:
        skipped_table(gallery)
if history_tab.open:
    with history_tab:
        history()
if check_tab.open:
    with check_tab:
        check()
if explain_tab.open:
    with explain_tab:
        explain()
