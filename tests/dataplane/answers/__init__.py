"""A corpus of answers that parsers disagree about, or that no server should give."""

from tests.dataplane.answers import bodies, framing, heads, interim

CASES = [case for room in (framing, heads, bodies, interim) for case in room.cases()]
