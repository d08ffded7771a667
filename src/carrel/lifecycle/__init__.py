"""Layer 7. The worker that makes servers and routes what their rows want them to be."""
