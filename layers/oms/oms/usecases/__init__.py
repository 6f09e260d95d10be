"""One module per command: load, decide in the domain, write in one transaction."""
