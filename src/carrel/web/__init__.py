"""Layer 7. The HTML pages."""
