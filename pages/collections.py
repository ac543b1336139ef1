"""Collections page, for the administrator at this machine: the collections, and folders to add as another one."""

import streamlit as st

from boxfind.ui.administration.add_collection import add_collection
from boxfind.ui.administration.collection_list import collection_list
from boxfind.ui.navigation import require_app

require_app()
st.header("Collections", anchor=False)
collection_list()
st.subheader("Add a collection", anchor=False)
add_collection()
