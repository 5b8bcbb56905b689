"""One folder per notebook: what it computes, its tables and its figures."""
