from __future__ import annotations
import sys, time
from tests.simulation.database import open_template
from tests.simulation.plan import draw_plan, Profile
from tests.simulation.run import play
first, n = int(sys.argv[1]), int(sys.argv[2])
v = "-v" in sys.argv
PR = Profile(hubs=int(next((a[2:] for a in sys.argv if a.startswith("-h")), "1")))
with open_template(3) as t:
    b = time.process_time()
    kinds = {}
    for s in range(first, first+n):
        o = play(draw_plan(s, PR), t, keeps_trace=v)
        if v:
            print("\n".join(o.trace))
            print(draw_plan(s, PR).to_json())
        if o.violation:
            kinds.setdefault(o.violation.kind, []).append(s)
        if v or n < 5: print(s, o.violation, o.digest, o.seconds, o.steps)
    d = time.process_time() - b
    print(f"{n/d:.1f} seeds/cpu-s")
    for k, x in kinds.items(): print(k, len(x), x[:8])
