"""The `oms` command: one module per group of sub-commands."""
