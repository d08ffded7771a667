"""Layer 8. Composition root: the only place that chooses implementations."""
