"""The single table: keys, codecs, transactions."""
