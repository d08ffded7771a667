"""What becomes of a JupyterHub database's rows here, and of ours there: rules without SQL."""
