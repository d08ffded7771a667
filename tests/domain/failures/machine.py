"""Memory, limits, disks, rights and signals."""

from __future__ import annotations

from tests.domain.failures.case import case, ended, late, raised, ran, silent, trace

LIMIT = "its limit is 1 GiB"
NOTARY = "sqlite3.DatabaseError: database disk image is malformed"

CASES = (
    case(
        "killed for memory",
        "out-of-memory",
        "out of memory (its limit is 1 GiB) and was killed",
        "more memory",
        ran("Memory cgroup out of memory: Killed process 77 (python)", 137, memory=LIMIT),
        ran("oom-kill:constraint=CONSTRAINT_MEMCG", -9, memory=LIMIT),
        ended("OOMKilled", 137, memory=LIMIT),
        ran("", 1, oom="yes", memory=LIMIT),
    ),
    case(
        "killed in silence",
        "killed",
        "SIGKILL",
        "load less",
        ran("", -9),
        ran("[I ServerApp] Saving file", 137),
        ended("", 137),
    ),
    case(
        "memory refused",
        "memory-refused",
        "could not get the memory",
        "more memory",
        ended(trace("MemoryError")),
        ran("terminate called after throwing an instance of 'std::bad_alloc'", -6),
        raised("[Errno 12] Cannot allocate memory", "OSError"),
        ended("libtorch.so: failed to map segment from shared object"),
    ),
    case(
        "told to end",
        "terminated",
        "told the server to end",
        "Start it again",
        ran("[C ServerApp] received signal 15, stopping", 0),
    ),
    case(
        "SIGTERM",
        "terminated",
        "SIGTERM",
        "Start it again",
        ran("", -15),
        ran("", 143),
    ),
    case("SIGINT", "terminated", "SIGINT", "Start it again", ran("", -2), ran("", 130)),
    case("SIGSEGV", "crashed", "SIGSEGV", "reinstall", ran("", -11), ended("Segmentation fault", 139)),
    case("SIGABRT", "crashed", "SIGABRT", "reinstall", ended("Fatal Python error: Aborted", -6)),
    case("SIGBUS", "bus-error", "SIGBUS", "/dev/shm", ran("", -7), ran("Bus error (core dumped)", 135)),
    case(
        "SIGILL",
        "wrong-processor",
        "SIGILL",
        "force-reinstall",
        ended("", -4),
        ended("Illegal instruction", 132),
    ),
    case(
        "SIGXCPU", "limit-exceeded", "SIGXCPU", "ulimit -t", ran("", -24), ran("CPU time limit exceeded", 152)
    ),
    case(
        "too many open files",
        "too-many-files",
        "may not open more files",
        "ulimit -n",
        ended(trace("OSError: [Errno 24] Too many open files: '/home/ada/.jupyter'")),
        ran("tornado.general ERROR: accept: Too many open files"),
        raised("[Errno 23] Too many open files in system", "OSError"),
    ),
    case(
        "too many threads",
        "too-many-processes",
        "threads or processes",
        "ulimit -u",
        ended(trace("RuntimeError: can't start new thread")),
        ended("bash: fork: retry: Resource temporarily unavailable"),
        ended("OpenBLAS blas_thread_init: pthread_create failed for thread 3 of 64"),
        raised("[Errno 11] Resource temporarily unavailable", "BlockingIOError"),
    ),
    case(
        "disk full",
        "disk-full",
        "full",
        "Delete files",
        ended(trace("OSError: [Errno 28] No space left on device: '/home/ada/.local/share/jupyter/runtime'")),
        ended("cp: error writing '/home/ada/x': No space left on device"),
        ended("sqlite3.OperationalError: database or disk is full"),
        raised("[Errno 28] No space left on device", "OSError"),
    ),
    case(
        "quota used up",
        "quota",
        "quota is used up",
        "Delete files",
        ended(trace("OSError: [Errno 122] Disk quota exceeded")),
        ended("mkdir: cannot create directory '/home/ada/.jupyter': Disk quota exceeded"),
    ),
    case(
        "read-only disk",
        "read-only",
        "read-only",
        "mount it for writing",
        ended(trace("OSError: [Errno 30] Read-only file system: '/home/ada/.jupyter'")),
        ended("touch: cannot touch 'x': Read-only file system"),
        ended("sqlite3.OperationalError: attempt to write a readonly database"),
    ),
    case(
        "file server away",
        "storage-gone",
        "does not answer as it should",
        "file server",
        ended("OSError: [Errno 116] Stale file handle"),
        ended("ls: cannot access '/home/ada': Transport endpoint is not connected"),
        late("OSError: [Errno 5] Input/output error: '/home/ada'"),
    ),
    case(
        "home missing",
        "home-missing",
        "/home/ada is not there",
        "mkhomedir_helper",
        ended("Cannot enter /home/ada: starting in /\nbye"),
        ended("Could not chdir to home directory /home/ada: No such file or directory"),
    ),
    case(
        "directory to show missing",
        "notebook-directory",
        "/home/ada/course",
        "notebook_dir",
        ended(
            "[C ServerApp] Bad config encountered during initialization: No such directory:"
            " ''/home/ada/course''"
        ),
        ended("No such notebook dir: '/home/ada/course'"),
    ),
    case(
        "home not writable",
        "not-permitted",
        "/home/ada/.local",
        "who owns it",
        ended(
            trace("PermissionError: [Errno 13] Permission denied: '/home/ada/.local/share/jupyter/runtime'")
        ),
        ended("mkdir: cannot create directory: Permission denied: /home/ada/.local"),
        ended("bash: /home/ada/.local/env: Permission denied", 1),
    ),
    case(
        "home owned by somebody else",
        "not-owner",
        "/home/ada",
        "chown",
        ended("/home/ada is not owned by you (uid 1000)"),
        ended("OSError: [Errno 1] Operation not permitted: '/home/ada/.local'"),
        ended("warning: '/home/ada' is owned by root"),
    ),
    case(
        "database damaged",
        "database-damaged",
        "damaged",
        "nbsignatures.db",
        ended(trace(NOTARY)),
        silent("sqlite3.DatabaseError: file is not a database"),
    ),
    case(
        "database locked",
        "database-locked",
        "locked",
        ":memory:",
        ended(trace("sqlite3.OperationalError: database is locked")),
        ended("sqlite3.OperationalError: disk I/O error"),
        silent("traitlets: sqlite3.OperationalError: locking protocol"),
    ),
)
