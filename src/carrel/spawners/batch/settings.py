"""The settings of servers that are jobs, under batchspawner's names where it has them."""

from __future__ import annotations

import os
import pwd
from typing import Any

from traitlets import Dict, Float, Integer, Unicode, default

from carrel.spawners.errors import StartError
from carrel.spawners.familiar import FamiliarNames


def _requirement(text: str) -> Any:
    return Unicode("", help=text).tag(config=True)


class BatchSettings(FamiliarNames):
    """The part of a driver that has them."""

    # As batchspawner calls them
    start_timeout = Integer(300, help="How long a start may take, in seconds.").tag(config=True)
    ip = Unicode("0.0.0.0", help="The address that a server listens on, on its machine.").tag(config=True)  # noqa: S104
    exec_prefix = Unicode(
        help="What runs commands with the rights of the owner: 'runuser -u {username} --' where the hub is"
        " root, else 'sudo -n -E -u {username}'. Empty runs them with the hub's own."
    ).tag(config=True)
    req_queue = _requirement("The queue.")
    req_host = _requirement("The batch system's own host, for queues that are named QUEUE@HOST.")
    req_memory = _requirement("The memory.")
    req_nprocs = _requirement("The number of processors.")
    req_ngpus = _requirement("The number of graphics cards.")
    req_runtime = _requirement("How long the job may run, in the batch system's own form.")
    req_partition = _requirement("The partition.")
    req_account = _requirement("The account that pays for it.")
    req_options = _requirement("Further options, as a line of the script.")
    req_prologue = _requirement("Lines of shell to run before the server.")
    req_epilogue = _requirement("Lines of shell to run after the server.")
    req_keepvars_extra = _requirement("Further variables for {keepvars}, with commas between.")
    req_username = Unicode(help="The account that the job runs as; the user's name.").tag(config=True)
    req_homedir = Unicode(help="Its home directory; what the hub's machine says.").tag(config=True)
    req_keepvars = Unicode(help="The names of the server's variables, with commas between.")
    batch_script: Any = Unicode(help="The template of the job's script.").tag(config=True)
    batch_submit_cmd = Unicode(help="The command that submits a script from its input.").tag(config=True)
    batch_query_cmd = Unicode(help="The command that tells of {job_id}.").tag(config=True)
    batch_cancel_cmd = Unicode(help="The command that ends {job_id}.").tag(config=True)
    batchspawner_singleuser_cmd = Unicode(
        "carrel-batch-start",
        help="What chooses a port on the machine, tells it to the hub and runs the server;"
        " batchspawner-singleuser does too. Not used with c.Spawner.port.",
    ).tag(config=True)
    startup_poll_interval = Float(
        0.5, min=0.05, help="How often a job that starts is looked at, in seconds."
    ).tag(config=True)

    # What Carrel adds
    queue_timeout = Integer(
        0,
        allow_none=True,
        min=0,
        help="How long a job may wait in the queue, in seconds; 0 means as long as it takes."
        " start_timeout begins after it. None lets start_timeout count from the submission.",
    ).tag(config=True)
    query_interval = Float(
        2.0, min=0.1, help="How often the batch system is asked for all jobs together, in seconds, at most."
    ).tag(config=True)
    command_timeout = Float(20.0, min=1, help="How long a command may take, in seconds.").tag(config=True)
    log_file = Unicode(
        "{homedir}/.carrel-server-{server_id}.log",
        help="Where the job's output goes, readable for its owner on the hub's machine; empty is not known.",
    ).tag(config=True)
    req_choices: Any = Dict(
        help="What people may choose: {'partition': ['short', 'long'], 'memory': True}; a list of values, or"
        " True for any that is valid. There is a form for them, unless options_form is set."
    ).tag(config=True)

    @default("exec_prefix")
    def _default_exec_prefix(self) -> str:
        if os.geteuid() == 0:
            return "runuser -u {username} --"
        own = pwd.getpwuid(os.geteuid()).pw_name
        return "" if own == self.req_username else "sudo -n -E -u {username}"

    @default("req_username")
    def _default_req_username(self) -> str:
        return str(self.user.name)

    @default("req_homedir")
    def _default_req_homedir(self) -> str:
        try:
            return pwd.getpwnam(self.req_username).pw_dir
        except KeyError:
            raise StartError(
                f"There is no account called {self.req_username} on the hub's machine.",
                hint=f"Create it, or set c.{type(self).__name__}.req_homedir and req_username.",
            ) from None

    @default("req_keepvars")
    def _default_req_keepvars(self) -> str:
        return ",".join(self.get_env())
