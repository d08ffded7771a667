"""What batch systems print, and what it means."""

from __future__ import annotations

import pytest

from carrel.spawners.batch import htcondor, slurm
from carrel.spawners.batch.gridengine import GridengineSpawner
from carrel.spawners.batch.htcondor import CondorSpawner
from carrel.spawners.batch.jobs import JobState, Unclear
from carrel.spawners.batch.lsf import LsfSpawner
from carrel.spawners.batch.pbs import PBSSpawner, TorqueSpawner
from carrel.spawners.batch.slurm import SlurmSpawner
from tests.spawners.batch.rig import make_driver
from tests.spawners.rig import hub_view, own_name


def _slurm() -> SlurmSpawner:
    return make_driver(SlurmSpawner, own_name(), hub_view(), daemon_resolver={"n1": "10.0.0.1"})


@pytest.mark.parametrize(
    ("line", "state", "host", "reason"),
    [
        ("7|PENDING|n/a|debug|1900000000|ada|carrel-1|Resources", JobState.PENDING, "", "Resources"),
        ("7|RUNNING|n1|debug|1800000000|ada|carrel-1|None", JobState.RUNNING, "10.0.0.1", ""),
        ("7|COMPLETING|n2|debug|1800000000|ada|carrel-1|None", JobState.RUNNING, "n2", ""),
        ("7|TIMEOUT|n2|debug|1800000000|ada|carrel-1|TimeLimit", JobState.ENDED, "", "TimeLimit"),
        ("7|OUT_OF_MEMORY|n2|debug|N/A|ada|carrel-1|OutOfMemory", JobState.ENDED, "", "OutOfMemory"),
    ],
)
def test_lines_of_squeue(line: str, state: JobState, host: str, reason: str) -> None:
    job = _slurm()._read(line)
    assert (job.state, job.host, job.reason) == (state, host, reason)
    assert (job.id, job.name, job.user, job.queue) == ("7", "carrel-1", "ada", "debug")
    assert job.expected == (1900000000.0 if state is JobState.PENDING else None)


@pytest.mark.parametrize("text", ["", "garbage", "7|RUNNING"])
def test_what_squeue_never_prints_tells_nothing(text: str) -> None:
    with pytest.raises(Unclear):
        _slurm()._read(text)


@pytest.mark.parametrize(
    ("text", "word", "status"),
    [
        ("JobId=7 JobName=x JobState=FAILED Reason=NonZeroExitCode ExitCode=3:0", "FAILED", 3),
        ("JobId=7 JobState=COMPLETED ExitCode=0:0", "COMPLETED", 0),
        ("JobId=7 JobState=TIMEOUT ExitCode=0:0", "TIMEOUT", 1),
        ("CANCELLED by 1000|0:15", "CANCELLED", -15),
        ("OUT_OF_MEMORY|0:125", "OUT_OF_MEMORY", -125),
    ],
)
def test_how_a_job_of_slurms_has_ended(text: str, word: str, status: int) -> None:
    job = slurm._ending("7", text)
    assert job is not None
    assert (job.word, job.status) == (word, status)


@pytest.mark.parametrize("text", ["", "JobId=7 JobState=RUNNING ExitCode=0:0", "slurm_load_jobs error"])
def test_a_job_that_has_not_ended_has_no_ending(text: str) -> None:
    assert slurm._ending("7", text) is None


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Priority", "higher priority"),
        ("QOSMaxJobsPerUserLimit", "you may use at once (QOSMaxJobsPerUserLimit)"),
        ("AssocGrpCpuLimit", "the account may use"),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "not available"),
        ("Sunspots", "Slurm says: Sunspots."),
        ("", ""),
    ],
)
def test_why_a_job_waits_in_plain_words(reason: str, words: str) -> None:
    assert words in _slurm().explain_wait(reason)


def test_numbers_of_jobs() -> None:
    account = own_name()
    assert _slurm().parse_job_id("sbatch: warning: x\n123;cluster") == "123"
    assert make_driver(PBSSpawner, account, hub_view()).parse_job_id("12.pbs.test\n") == "12.pbs.test"
    engine = make_driver(GridengineSpawner, account, hub_view())
    assert engine.parse_job_id('Your job 12 ("x") has been submitted') == "12"
    lsf = make_driver(LsfSpawner, account, hub_view())
    assert lsf.parse_job_id("Job <12> is submitted to default queue <normal>.") == "12"
    condor = make_driver(CondorSpawner, account, hub_view())
    assert condor.parse_job_id("Submitting job(s).\n1 job(s) submitted to cluster 12.") == "12"
    for driver, text in ((engine, "denied"), (lsf, "No such queue"), (condor, "ERROR"), (_slurm(), "x")):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever its words
            driver.parse_job_id(text)


PBS = """Job Id: 12.pbs.test
    Job_Name = c123456-7-2
    Job_Owner = ada@login.test
    job_state = {state}
    queue = workq
    comment = Not Running: Insufficient amount of resource: ncpus (R: 64 A: 0
\t T: 2)
    estimated.start_time = Sun Mar 17 17:46:40 2030
    exec_host = n1.test/0*2+n2.test/0
    Exit_status = -29
    Variable_List = A=b,
\tPBS_O_HOME=/home/ada

"""


def test_the_long_form_of_qstat() -> None:
    driver = make_driver(PBSSpawner, own_name(), hub_view())
    waits, runs, ended = (next(driver._read_all(PBS.format(state=letter))) for letter in "QRF")
    assert (waits.state, waits.name, waits.user) == (JobState.PENDING, "c123456-7-2", "ada")
    assert waits.reason == "Insufficient amount of resource: ncpus (R: 64 A: 0 T: 2)"
    assert waits.expected is not None
    assert (runs.state, runs.host) == (JobState.RUNNING, "n1.test")
    assert (ended.state, ended.reason) == (JobState.ENDED, "job exceeded walltime limit")
    with pytest.raises(Unclear):
        next(driver._read_all(PBS.format(state="?")))


def test_what_torque_says_of_one_job() -> None:
    driver = make_driver(TorqueSpawner, own_name(), hub_view(), state={"job_id": "1"})
    said = "<job_state>R</job_state><exec_host>n1.test/0</exec_host>"
    job = driver.read_query(said)
    assert job is not None
    assert (job.state, job.host) == (JobState.RUNNING, "n1.test")
    assert driver.read_query("<job_state>C</job_state>") is None


@pytest.mark.parametrize(
    ("entry", "state", "host"),
    [
        ('state="running"><state>r</state><queue_name>all.q@n1</queue_name>', JobState.RUNNING, "n1"),
        ('state="pending"><state>qw</state><queue_name></queue_name>', JobState.PENDING, ""),
        ('state="pending"><state>hqw</state><queue_name></queue_name>', JobState.PENDING, ""),
        ('state="pending"><state>Eqw</state><queue_name></queue_name>', JobState.STUCK, ""),
    ],
)
def test_the_list_of_grid_engine(entry: str, state: JobState, host: str) -> None:
    driver = make_driver(GridengineSpawner, own_name(), hub_view(), state={"job_id": "12"})
    job_list = f"<job_list {entry}<JB_job_number>12</JB_job_number></job_list>"
    text = f"<job_info><job_info>{job_list}</job_info></job_info>"
    job = driver.read_query(text)
    assert job is not None
    assert (job.state, job.host) == (state, host)
    assert driver.read_query("<job_info></job_info>") is None
    with pytest.raises(Unclear):
        driver.read_query("error: commlib error: got select error")


def test_a_line_of_bjobs() -> None:
    driver = make_driver(LsfSpawner, own_name(), hub_view())
    ended = driver._read("12|EXIT|2*n1:n2|x|ada|normal|140|TERM_RUNLIMIT: job killed|-")
    assert (ended.state, ended.host, ended.status) == (JobState.ENDED, "n1", 140)
    assert ended.reason.startswith("TERM_RUNLIMIT")
    for line in ("12|UNKWN|n1|x|ada|normal|-|-|-", "batch daemon not responding"):
        with pytest.raises(Unclear):
            driver._read(line)


def test_adverts_of_condor() -> None:
    (job,) = htcondor._read('[{"ClusterId": 12, "JobStatus": 5, "HoldReason": "no file"}]')
    assert (job.id, job.state, job.reason) == ("12", JobState.STUCK, "no file")
    assert list(htcondor._read("")) == []
    for text in ("Error: communication error", "[{}]", '[{"ClusterId": 1, "JobStatus": 99}]'):
        with pytest.raises(Unclear):
            list(htcondor._read(text))
