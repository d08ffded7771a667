"""Layer 4. The public Authenticator class and the drivers that check who somebody is. No pages here."""
