"""Account page: log in and out, where administrators log in."""

import streamlit as st

from boxfind.ui.administration.account import account
from boxfind.ui.navigation import require_app

require_app()
st.header("Account", anchor=False)
account()
