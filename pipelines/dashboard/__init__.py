"""The dashboard: pages that show the published copy in a browser. The only importer of streamlit and altair.

`filters` and `queries` are pure: what is chosen, and the SQL of every number. `published_copy` reads, `charts` draws,
`drawings` says which chart a query has. `pages` says what stands where, `app` is what Streamlit runs, and `serving`
starts it. `report` puts the same into one file, and needs no Streamlit.
"""
