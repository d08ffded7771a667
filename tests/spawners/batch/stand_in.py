#!/usr/bin/python3
"""The commands of PBS, Torque, Grid Engine, LSF and HTCondor over a queue of processes of this machine.

Called by the name of a command; `QUEUE_DIRECTORY` has a file for each job. Written from the manuals of the
commands: what they print, where, and with which status, for jobs that wait, run, have ended and never were.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

Job = dict[str, Any]
QUEUE = Path(os.environ["QUEUE_DIRECTORY"])
SERVER = "pbs.test"


def main() -> None:
    command, words = Path(sys.argv[0]).name, sys.argv[1:]
    if (QUEUE / "away").exists():
        sys.exit(_fail("cannot connect to server pbs.test, error=111", 1))
    sys.exit(COMMANDS[command](words))


def _fail(text: str, status: int) -> int:
    print(text, file=sys.stderr)
    return status


# The queue


def submit(name: str, output: str, words: list[str], script: str = "") -> str:
    """Put a job into the queue; it begins when the queue is open."""
    number = str(len(list(QUEUE.glob("*.job"))) + 1)
    if script:
        file = QUEUE / f"{number}.sh"
        file.write_text(script)
        words = [*words, str(file)]
    closed = shlex.quote(str(QUEUE / "closed"))
    line = f"while [ -e {closed} ]; do sleep 0.05; done; touch {number}.begun"
    line += f"; {shlex.join(words)} > {shlex.quote(output)} 2>&1 < /dev/null; echo $? > {number}.end"
    process = subprocess.Popen(
        ["/bin/sh", "-c", line],
        cwd=QUEUE,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    job = {"id": number, "name": name, "user": os.environ["USER"], "pid": process.pid, "reason": ""}
    write(job | {"words": words, "script": script})
    return number


def write(job: Job) -> None:
    file = QUEUE / f"{job['id']}.job"
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(job))
    draft.rename(file)


def jobs() -> list[Job]:
    found = [json.loads(file.read_text()) for file in QUEUE.glob("*.job")]
    for job in found:
        end, begun = QUEUE / f"{job['id']}.end", QUEUE / f"{job['id']}.begun"
        job["state"] = "runs" if begun.exists() else "waits"
        if job["reason"] or end.exists() or not alive(job["pid"]):
            job |= {"state": "ended", "status": int((end.exists() and end.read_text()) or 143)}
    return sorted(found, key=lambda job: int(job["id"]))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def find(job_id: str) -> Job | None:
    number = job_id.partition(".")[0]
    return next((job for job in jobs() if job["id"] == number), None)


def cancel(job: Job) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(job["pid"], number)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    while alive(job["pid"]):
        time.sleep(0.01)
    write(
        {name: value for name, value in job.items() if name not in ("state", "status")}
        | {"reason": "cancelled"}
    )


def directive(script: str, mark: str, option: str) -> str:
    found = re.search(rf"^{re.escape(mark)} {re.escape(option)} (\S+)", script, re.MULTILINE)
    return found[1] if found else ""


# PBS, Torque, and Grid Engine's commands of the same names


def kind() -> str:
    return os.environ["QUEUE_KIND"]


def qsub(words: list[str]) -> int:
    script, mark = sys.stdin.read(), "#$" if kind() == "sge" else "#PBS"
    if directive(script, mark, "-q") == "nowhere":
        if kind() == "sge":
            return _fail(
                'Unable to run job: Job was rejected because job requests unknown queue "nowhere".', 1
            )
        return _fail("qsub: Unknown queue", 168 if kind() == "pbs" else 170)
    name = words[words.index("-N") + 1]
    number = submit(name, directive(script, mark, "-o"), ["/bin/sh"], script)
    print(f'Your job {number} ("{name}") has been submitted' if kind() == "sge" else f"{number}.{SERVER}")
    return 0


def qdel(words: list[str]) -> int:
    job = find(words[0])
    if kind() == "sge":
        if job is None or job["state"] == "ended":
            print(f'denied: job "{words[0]}" does not exist')
            return 1
        print(f"{os.environ['USER']} has registered the job {words[0]} for deletion")
    elif job is None:
        return _fail(f"qdel: Unknown Job Id {words[0]}", 153)
    elif job["state"] == "ended":
        return _fail(f"qdel: Job has finished {words[0]}", 35)
    cancel(job)
    return 0


def qstat(words: list[str]) -> int:
    if kind() == "sge":
        return _qstat_sge()
    ids = [word for word in words if word[0].isdigit()]
    options = "".join(word for word in words if word.startswith("-"))
    ended_too = "x" in options and kind() == "pbs"
    status = 0
    for job_id in ids or [job["id"] for job in jobs() if job["state"] != "ended"]:
        job = find(job_id)
        if job is None or (kind() == "pbs" and job["state"] == "ended" and not ended_too):
            text = (
                "Unknown Job Id"
                if job is None
                else "Job has finished, use -x or -H to obtain historical job information"
            )
            status = _fail(f"qstat: {job_id} {text}" if job else f"qstat: Unknown Job Id {job_id}", 153)
        elif kind() == "torque" and "x" in options:
            print(
                f"<Data><Job><Job_Id>{job['id']}.{SERVER}</Job_Id><job_state>{_letter(job)}</job_state>",
                end="",
            )
            print("<exec_host>localhost/0</exec_host>" * (job["state"] == "runs") + "</Job></Data>")
        else:
            print(_full(job))
    return status


def _letter(job: Job) -> str:
    return {"waits": "Q", "runs": "R", "ended": "F" if kind() == "pbs" else "C"}[job["state"]]


def _full(job: Job) -> str:
    lines = [f"Job Id: {job['id']}.{SERVER}", f"    Job_Name = {job['name']}"]
    lines += [
        f"    Job_Owner = {job['user']}@login.test",
        f"    job_state = {_letter(job)}",
        "    queue = workq",
    ]
    if job["state"] == "waits":
        lines.append("    comment = Not Running: Insufficient amount of resource: ncpus\n\t (R: 64 A: 0)")
    else:
        lines.append("    exec_host = localhost/0*1")
    if job["state"] == "ended":
        lines.append(f"    Exit_status = {job['status']}")
    lines.append("    Variable_List = PBS_O_HOME=/home/x,PBS_O_LANG=C,\n\tPBS_O_PATH=/bin")
    return "\n".join(lines) + "\n"


def _qstat_sge() -> int:
    lists = {"running": "", "pending": ""}
    for job in jobs():
        if job["state"] != "ended":
            runs = job["state"] == "runs"
            facts = f"<JB_job_number>{job['id']}</JB_job_number><JAT_prio>0.5</JAT_prio>"
            facts += f"<JB_name>{job['name']}</JB_name><JB_owner>{job['user']}</JB_owner>"
            facts += f"<state>{'r' if runs else 'qw'}</state>"
            facts += f"<queue_name>{'all.q@localhost' if runs else ''}</queue_name><slots>1</slots>"
            tag = "running" if runs else "pending"
            lists[tag] += f'<job_list state="{tag}">{facts}</job_list>'
    print("<?xml version='1.0'?>")
    print(
        f"<job_info><queue_info>{lists['running']}</queue_info><job_info>{lists['pending']}</job_info></job_info>"
    )
    return 0


def qacct(words: list[str]) -> int:
    job = find(words[-1])
    if job is None or job["state"] != "ended":
        return _fail(f"error: job id {words[-1]} not found", 1)
    print("=" * 62)
    print(f"qname        all.q\njobnumber    {job['id']}\nfailed       0\nexit_status  {job['status']}")
    return 0


# LSF


def bsub(_words: list[str]) -> int:
    script = sys.stdin.read()
    if directive(script, "#BSUB", "-q") == "nowhere":
        return _fail("nowhere: No such queue. Job not submitted.", 255)
    name, output = directive(script, "#BSUB", "-J"), directive(script, "#BSUB", "-oo")
    print(f"Job <{submit(name, output, ['/bin/sh'], script)}> is submitted to default queue <normal>.")
    return 0


def bkill(words: list[str]) -> int:
    job = find(words[0])
    if job is None:
        return _fail(f"Job <{words[0]}>: No matching job found", 255)
    if job["state"] == "ended":
        return _fail(f"Job <{words[0]}>: Job has already finished", 255)
    cancel(job)
    print(f"Job <{words[0]}> is being terminated")
    return 0


def bjobs(words: list[str]) -> int:
    ids = [word for word in words if word.isdigit()]
    fields = words[words.index("-o") + 1]
    found = 0
    for job_id in ids or [job["id"] for job in jobs() if job["state"] != "ended"]:
        job = find(job_id)
        if job is None:
            print(f"Job <{job_id}> is not found", file=sys.stderr)
            continue
        found += 1
        word = {"waits": "PEND", "runs": "RUN"}.get(job["state"]) or ("EXIT" if job["status"] else "DONE")
        host = "-" if job["state"] == "waits" else "localhost"
        ended = job["state"] == "ended" and job["status"]
        reason = "TERM_OWNER: job killed by owner" if job["reason"] else "-"
        pending = "New job is waiting for scheduling" if job["state"] == "waits" else "-"
        if fields == "STAT EXEC_HOST":
            print(f"{word} {host}")
        else:
            code = str(job["status"]) if ended else "-"
            print(
                "|".join((job["id"], word, host, job["name"], job["user"], "normal", code, reason, pending))
            )
    if not found and not ids:
        print("No unfinished job found", file=sys.stderr)
    return 0 if found or not ids else 255


# HTCondor


def condor_submit(_words: list[str]) -> int:
    text = sys.stdin.read()
    facts = dict(re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE))
    arguments = facts["Arguments"].strip('"').replace('""', '"')
    found = re.fullmatch(r"-c '(.*)'", arguments)
    assert found, arguments
    line = found[1].replace("''", "'")
    if "no such pool" in text:
        return _fail("ERROR: Can't find address of local schedd", 1)
    number = submit(facts["JobBatchName"], facts["Output"], [facts["Executable"], "-c", line])
    print(f"Submitting job(s).\n1 job(s) submitted to cluster {number}.")
    return 0


def condor_rm(words: list[str]) -> int:
    job = find(words[0])
    if job is None or job["state"] == "ended":
        return _fail(f"Couldn't find/remove all jobs in cluster {words[0]}", 1)
    cancel(job)
    print(f"All jobs in cluster {words[0]} have been marked for removal")
    return 0


def condor_q(words: list[str]) -> int:
    ids = [word for word in words if word.isdigit()]
    shown = [job for job in jobs() if job["state"] != "ended" and (not ids or job["id"] in ids)]
    if "-format" in words:
        for job in shown:
            host = "slot1@localhost" if job["state"] == "runs" else ""
            print(f"{2 if job['state'] == 'runs' else 1}, {host}\n")
    elif shown:
        print(json.dumps([_advert(job) for job in shown]))
    return 0


def condor_history(words: list[str]) -> int:
    job = find(words[-1])
    if job is not None and job["state"] == "ended":
        print(json.dumps([_advert(job)]))
    return 0


def _advert(job: Job) -> Job:
    advert = {"ClusterId": int(job["id"]), "Owner": job["user"], "JobBatchName": job["name"]}
    if job["state"] == "runs":
        return advert | {"JobStatus": 2, "RemoteHost": "slot1@localhost"}
    if job["state"] == "waits":
        return advert | {"JobStatus": 1}
    if job["reason"]:
        return advert | {"JobStatus": 3, "RemoveReason": "via condor_rm (by user x)"}
    return advert | {"JobStatus": 4, "ExitCode": job["status"]}


_PBS_AND_SGE = (qsub, qdel, qstat, qacct)
_OTHERS = (bsub, bkill, bjobs, condor_submit, condor_rm, condor_q, condor_history)
COMMANDS = {function.__name__: function for function in (*_PBS_AND_SGE, *_OTHERS)}

if __name__ == "__main__":
    main()
