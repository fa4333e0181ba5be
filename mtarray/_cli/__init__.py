"""The command line: `mtarray`."""
