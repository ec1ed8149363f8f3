"""The command line, one module per noun; `cli.py` puts them together."""
