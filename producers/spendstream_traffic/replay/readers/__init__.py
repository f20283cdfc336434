"""One module per file format: a pure generator from a file to rows. Nothing is read whole."""
