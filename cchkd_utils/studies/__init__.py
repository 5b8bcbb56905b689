"""What one notebook of the book computes, where it grew too long for the notebook's cells."""
