"""The command line and the book: built, exported, published; no science."""
