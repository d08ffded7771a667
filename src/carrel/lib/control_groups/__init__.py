"""Linux control groups: keeping a process out of another's, and limits that the kernel enforces.

`apart` takes processes out of the group that a supervisor ends; `limits` says what a group may use; `machine`
makes groups with limits, by `version1`, `version2` or `systemd`; `group` looks into them and ends them.
"""
