"""Third-party plug-ins, unmodified and in their newest release, each with the back end that it is for."""
