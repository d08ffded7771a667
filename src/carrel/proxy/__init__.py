"""Layer 4. The public Proxy class and the drivers that set routes on a data plane."""
