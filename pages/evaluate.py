"""Evaluate page: ranking quality measured on the marked results of saved searches."""

import streamlit as st

from boxfind.evaluation.ratings import judged
from boxfind.evaluation.ratings_table import judged_table
from boxfind.ui.evaluate.chart import average_precision_chart
from boxfind.ui.evaluate.needed_marks import needed_marks
from boxfind.ui.evaluate.rerun import packing, ratings
from boxfind.ui.evaluate.view import difference, downloads, left_out, nothing_rated, overall, rankings_choice, table
from boxfind.ui.search.search_options import LABELS
from boxfind.ui.served_gallery import failure, ready_gallery
from boxfind.ui.session import saved_search_store
from retrieval.errors import BoxfindError

gallery = ready_gallery()
st.header("Evaluate", anchor=False)
st.caption("How good are the results? The figures come from the thumbs on the results of saved searches.")
try:
    saved = saved_search_store().all()
except BoxfindError as error:
    failure(error)
    st.stop()
tables = gallery.tables
searches = judged({search.name: search.in_gallery(tables).request for search in saved}, tables)
if not searches:
    nothing_rated(any_saved=False)
    st.stop()

rankings = rankings_choice()
try:
    found = ratings(gallery, searches, rankings)
except BoxfindError as error:
    failure(error)
    st.stop()
if not found.count:
    nothing_rated(any_saved=True)
    needed_marks(found.unmarked)
    left_out(found.unrated)
    st.stop()

overall(found)
needed_marks(found.unmarked)
if len(rankings) > 1:
    difference(found)
average_precision_chart(found, LABELS)
figures = judged_table(found, LABELS)
table(figures)
downloads(figures, searches, packing(gallery, searches))
left_out(found.unrated)
