"""What the machine has too little of, or does not allow: memory, processes, files, disks, rights."""

from __future__ import annotations

from carrel.domain.causes.rule import BEFORE_ANSWER, BY_SERVER, End, Rule

_ENDED = frozenset({End.ENDED})

_MEMORY = (
    Rule(
        "machine-out-of-memory",
        "The machine that the server ran on had no memory left, and the server was killed.",
        "Try again later. The administrator can set c.Spawner.mem_limit, so that one server cannot take what"
        " others need.",
        ends=_ENDED,
        facts={"oom": "machine"},
    ),
    Rule(
        "out-of-memory",
        "The server ran out of memory{memory} and was killed.",
        "Start it again and load less at once, or ask for a server with more memory.",
        says=r"out of memory|oom[-_ ]?kill|OOMKilled|Memory cgroup out of memory",
        status={-9},
    ),
    Rule(
        "out-of-memory",
        "The server ran out of memory{memory} and was killed.",
        "Start it again and load less at once, or ask for a server with more memory.",
        ends=_ENDED,
        facts={"oom": ".+"},
    ),
    Rule(
        "memory-refused",
        "The server could not get the memory that it asked for{memory}.",
        "Ask for a server with more memory, or end what else you run on this machine.",
        says=r"^MemoryError\b|std::bad_alloc|Cannot allocate memory|failed to map segment|\[Errno 12\]|ENOMEM"
        r"|memory exhausted",
    ),
)

_COUNTS = (
    Rule(
        "too-many-files",
        "The server may not open more files.",
        "The administrator has to raise the limit of open files (ulimit -n) for users' servers.",
        says=r"Too many open files|EMFILE|ENFILE|\[Errno 24\]|\[Errno 23\]",
    ),
    Rule(
        "too-many-processes",
        "The server may not start more threads or processes{processes}.",
        "Start fewer at once, or the administrator has to raise c.LocalProcessSpawner.pids_limit.",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
        facts={"forks": ".+"},
    ),
    Rule(
        "too-many-processes",
        "The server may not start more threads or processes{processes}.",
        "End what else you run on this machine; else the administrator has to raise the limit (pids_limit of"
        " the spawner, ulimit -u, or TasksMax of a service).",
        says=r"can't start new thread|Resource temporarily unavailable|pthread_create failed|\[Errno 11\]"
        r"|fork: retry|cannot fork|uv_thread_create|BlockingIOError: \[Errno",
    ),
)

_DISKS = (
    Rule(
        "quota",
        "Your disk quota is used up.",
        "Delete files that you do not need (also ~/.local/share/Trash and ~/.cache), then start the server"
        " again.",
        says=r"Disk quota exceeded|EDQUOT|\[Errno 122\]|quota exceeded.*(?:block|inode|file)",
    ),
    Rule(
        "disk-full",
        "A disk that the server writes to is full.",
        "Delete files that you do not need, then start the server again; if it is not your disk, show this"
        " page to the"
        " administrator.",
        says=r"No space left on device|ENOSPC|\[Errno 28\]|database or disk is full",
    ),
    Rule(
        "read-only",
        "The server cannot write: the file system is read-only.",
        "The administrator has to mount it for writing; after a disk error it has to be checked first.",
        says=r"Read-only file system|EROFS|\[Errno 30\]|attempt to write a readonly database",
    ),
    Rule(
        "storage-gone",
        "The file system with your files does not answer as it should.",
        "Try again in some minutes; if it fails again, the administrator has to look at the file server.",
        says=r"Stale (?:NFS )?file handle|ESTALE|Transport endpoint is not connected|Input/output error"
        r"|\[Errno 116\]"
        r"|\[Errno 5\]|Required key not available",
    ),
    Rule(
        "database-damaged",
        "A database file of the server is damaged.",
        "Delete nbsignatures.db and the history files in ~/.local/share/jupyter and"
        " ~/.ipython/profile_default, then"
        " start the server again: they are made anew.",
        says=r"database disk image is malformed|file is not a database"
        r"|file is encrypted or is not a database",
    ),
    Rule(
        "database-locked",
        "A database file of the server is locked.",
        "End other servers and notebooks of yours; on a network file system set"
        " c.NotebookNotary.db_file = ':memory:'.",
        says=r"database is locked|sqlite3\.OperationalError: (?:disk I/O error|locking protocol)",
    ),
    Rule(
        "home-missing",
        "Your home directory {home} is not there or may not be entered by you.",
        "The administrator has to make it: mkhomedir_helper or c.LocalAuthenticator.create_system_users ="
        " True do.",
        says=r"Cannot enter (?P<home>\S[^:\n]*): starting in /"
        r"|Could not chdir to home directory (?P<home2>\S+):"
        r"|HOME.{0,20}(?:not set|does not exist)|home directory .{0,80}(?:does not exist|not found)",
        stages=BEFORE_ANSWER,
    ),
    Rule(
        "directory-not-made",
        "{text}",
        "The administrator has to make the directory, or give it to you.",
        error="StartError",
        says=r"The directory \S+ cannot be made",
    ),
    Rule(
        "notebook-directory",
        "The directory that the server should show is not there: {directory}",
        "Make it, or the administrator has to change c.Spawner.notebook_dir.",
        says=r"(?:No such (?:notebook|contents|root)? ?dir(?:ectory)?|root_dir.{0,40}does not exist"
        r"|not a directory)[:,]? ['\"]*(?P<directory>/[^'\"\n]*)",
        stages=BEFORE_ANSWER,
    ),
    Rule(
        "not-owner",
        "Files that the server needs belong to somebody else: {path}",
        "The administrator has to give them to you: chown -R of your home directory.",
        says=r"(?P<path>/[^\s'\":]+)['\"]? (?:is not owned by|is owned by (?!you)|belongs to another user)"
        r"|bad ownership.{0,40}?(?P<path2>/\S+)|\[Errno 1\] Operation not permitted: ['\"](?P<path3>[^'\"]+)",
    ),
    Rule(
        "not-permitted",
        "The server may not use {path}.",
        "The administrator has to look at who owns it and who may write there (ls -ld); most often it was"
        " made by root.",
        says=r"(?:Permission denied|\[Errno 13\][^'\"\n]*)[:,]? ?['\"]?(?P<path>/[^'\"\n]+)['\"]?"
        r"|(?P<path2>/[^\s:]+): Permission denied",
        ends=BY_SERVER,
    ),
)

_LIMITS = (
    Rule(
        "limit-not-enforced",
        "{text}",
        "{driver_hint}",
        error="StartError",
        says=r"cannot be enforced on this machine",
    ),
)

_RIGHTS = (
    Rule(
        "no-account",
        "{text}",
        "{driver_hint}",
        error="StartError",
        says=r"There is no account called",
    ),
    Rule(
        "no-account",
        "There is no account of that name on the machine that runs servers.",
        "The administrator has to create it, or set c.LocalAuthenticator.create_system_users = True.",
        says=r"getpwnam\(\): name not found|name not found: |user \S+ does not exist|unknown user"
        r"|no passwd entry for user",
    ),
    Rule(
        "not-root",
        "{text}",
        "{driver_hint}",
        error="StartError",
        says=r"The hub is not root",
    ),
    Rule(
        "not-root",
        "The hub may not start servers with the rights of others.",
        "The administrator has to run the hub as root, or use a spawner that needs no root.",
        says=r"setuid.{0,40}(?:not permitted|failed)|setgroups.{0,40}not permitted"
        r"|initgroups.{0,40}not permitted"
        r"|Exception occurred in preexec_fn",
    ),
    Rule(
        "sudo-refused",
        "sudo did not let the hub start the server.",
        "The administrator has to allow the command in sudoers with NOPASSWD for the hub's account; for"
        " Carrel's own SudoSpawner `carrel doctor sudo` says how.",
        says=r"sudo: .*(?:password is required|not in the sudoers|not allowed|no tty|terminal is required"
        r"|Account expired)|is not allowed to execute",
    ),
    # What sudo says goes to the hub's own log there, and the exception knows nothing of it.
    Rule(
        "sudo-refused",
        "sudo did not let the hub start the server, or what it started broke off.",
        "The hub's log has what sudo said. The administrator has to allow sudospawner for this user in"
        " sudoers with NOPASSWD, and to see whether it is installed beside jupyterhub-singleuser.",
        says=r"^substring not found$|sudospawner subprocess failed|^'pid'$",
        facts={"driver": ".*Sudo.*"},
    ),
)

RULES = _LIMITS + _MEMORY + _COUNTS + _DISKS + _RIGHTS

SIGNALS = (
    Rule(
        "killed",
        "The server was killed (SIGKILL), most often because it used too much memory{memory}.",
        "Start it again and load less at once; if it happens while it does little, show this page to the"
        " administrator.",
        ends=_ENDED,
        status={-9},
    ),
    Rule(
        "terminated",
        "Somebody or something told the server to end: a restart of the machine, a time limit, or an"
        " administrator.",
        "Start it again.",
        says=r"received signal (?:15|2|1), stopping|Received signal SIG(?:TERM|INT|HUP)",
        ends=_ENDED,
    ),
    Rule(
        "terminated",
        "Somebody or something ended the server ({signal}): a restart of the machine, a time limit, or an"
        " administrator.",
        "Start it again.",
        ends=_ENDED,
        status={-15, -2, -1},
    ),
    Rule(
        "crashed",
        "The server crashed ({signal}) in compiled code.",
        "Start it again; if it crashes again, reinstall what was installed last, most often pyzmq, numpy"
        " or another"
        " compiled package.",
        ends=_ENDED,
        status={-11, -6, -8},
    ),
    Rule(
        "bus-error",
        "The server crashed (SIGBUS): a file that it had mapped could not be read, or shared memory is full.",
        "See whether a disk or /dev/shm is full; in a container the administrator can raise shm_size.",
        ends=_ENDED,
        status={-7},
    ),
    Rule(
        "wrong-processor",
        "The server crashed (SIGILL): a compiled package is made for another processor than this machine"
        " has.",
        "Install versions for this machine: pip install --force-reinstall, or another image.",
        ends=_ENDED,
        status={-4},
    ),
    Rule(
        "limit-exceeded",
        "The server used more than a limit of this machine allows ({signal}).",
        "The administrator can raise the limits of CPU time and file size (ulimit -t, ulimit -f).",
        ends=_ENDED,
        status={-24, -25},
    ),
)
