"""Layer 4. In-process publish and subscribe of what happened, and progress of starts."""
