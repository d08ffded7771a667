"""Layer 2. Records and pure rules of the product's nouns; standard library and msgspec only, no I/O."""
