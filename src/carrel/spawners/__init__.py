"""Layer 4. The public Spawner class and the drivers that make servers run."""
