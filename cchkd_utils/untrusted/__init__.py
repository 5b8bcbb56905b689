"""Files that somebody else wrote: read without running what is in them."""
