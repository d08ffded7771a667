"""Failures as they are seen, with what has to be said of each: the texts are those of the real programs."""
