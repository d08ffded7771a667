"""Layer 9. A kit for plug-in authors and for our own tests: fakes, a clock, conformance suites."""
