"""Base classes of plug-ins' Tornado handlers; whoever imports one of these modules imports Tornado."""
