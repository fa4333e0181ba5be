"""The pages of `mtarray lens`: arrays and their storage, graphs, functions and their kernels, modules, live training.

Each page has a module: what it computes and draws are plain functions, which are tested without a browser; `page()` puts them on the
screen. `app.py` is what Streamlit runs.
"""
