"""Layer 4. The Store protocol and its SQL implementation; the only place that knows SQL."""
