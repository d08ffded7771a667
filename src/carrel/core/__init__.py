"""Layer 5. Use cases: one function each, with the transaction and the scope check inside.

The first argument is a HubContext, the second the Caller who wants it.
"""
