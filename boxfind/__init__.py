"""The Boxfind application: settings, engine, web page, HTTP API and command line."""

from retrieval.cpus import limit_libraries

limit_libraries()  # before NumPy, torch and FAISS are loaded
