"""The application: settings become live objects, and people and programs come in."""

from retrieval.cpus import limit_libraries

limit_libraries()  # before NumPy, torch and FAISS are loaded
