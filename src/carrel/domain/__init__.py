"""Layer 2. Records and pure rules of the nouns; standard library only, no I/O."""
