"""Containers, clusters, batch systems, graphics cards."""

from __future__ import annotations

from tests.domain.failures.case import case, ended, late, raised, ran

DAEMON = "Error response from daemon: "
SLURM = "sbatch: error: Batch job submission failed: "

CASES = (
    case(
        "image missing",
        "image-missing",
        "image of the server does not exist",
        "name and tag",
        raised('404 Client Error: Not Found ("No such image: course/lab:2026")', "ImageNotFound"),
        raised(DAEMON + "manifest for course/lab:2026 not found: manifest unknown", "APIError"),
        late('Failed to apply default image tag "Course": InvalidImageName'),
    ),
    case(
        "pull denied",
        "image-refused",
        "wants a log-in",
        "credentials",
        raised(
            DAEMON
            + "pull access denied for course/lab, repository does not exist or may require 'docker login'"
        ),
        late('Failed to pull image "ghcr.io/c/lab": unauthorized: authentication required'),
    ),
    case(
        "registry unreachable",
        "registry-unreachable",
        "registry with the server's image does not answer",
        "mirror",
        raised(
            DAEMON
            + 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host'
        ),
        raised(DAEMON + "Get https://quay.io/v2/: net/http: TLS handshake timeout"),
        raised("toomanyrequests: You have reached your pull rate limit."),
    ),
    case(
        "image not pulled",
        "image-pull",
        "could not be pulled",
        "kubectl",
        late("Error: ImagePullBackOff"),
        late("ErrImagePull: rpc error"),
    ),
    case(
        "image for another processor",
        "image-broken",
        "another kind of processor",
        "--platform",
        raised("no matching manifest for linux/arm64/v8 in the manifest list entries"),
        raised("The requested image's platform (linux/amd64) does not match the detected host platform"),
    ),
    case(
        "Docker away",
        "docker-unreachable",
        "Docker engine does not answer",
        "group docker",
        raised(
            "Error while fetching server API version: ('Connection aborted.', FileNotFoundError(2))",
            "DockerException",
        ),
        raised(
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon"
            " running?"
        ),
        raised("Cannot connect to host localhost:2375 ssl:default", "ClientConnectorError"),
    ),
    case(
        "container name in use",
        "container-name",
        "container of that name",
        "docker rm",
        raised(
            DAEMON + 'Conflict. The container name "/jupyter-ada" is already in use by container "4f5e".',
            "APIError",
        ),
    ),
    case(
        "Docker's disk full",
        "docker-disk-full",
        "Docker keeps images",
        "docker system prune",
        raised("failed to register layer: write /usr/lib/x: no space left on device"),
        raised("mkdir /var/lib/docker/overlay2/4f5e: no space left on device"),
    ),
    case(
        "command not in the image",
        "container-command",
        "jupyterhub-singleuser",
        "pip install carrel-client",
        raised(
            'OCI runtime create failed: exec: "jupyterhub-singleuser": executable file not found in'
            " $PATH: unknown"
        ),
        raised('exec: \\"jupyterhub-singleuser\\": executable file not found in $PATH'),
        ended("[FATAL tini (7)] exec jupyterhub-singleuser failed: No such file or directory", 127),
    ),
    case(
        "volume missing",
        "volume-missing",
        "is not there: ",
        "volumes",
        raised('invalid mount config for type "bind": bind source path does not exist: /srv/ada'),
        late('persistentvolumeclaim "claim-ada" not found'),
    ),
    case(
        "network missing",
        "network-missing",
        "course_net",
        "network_name",
        raised(DAEMON + "network course_net not found"),
    ),
    case(
        "no room in the cluster",
        "kubernetes-full",
        "No machine of the cluster has room",
        "add machines",
        late("0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available"),
        late("Warning FailedScheduling default-scheduler: 1 node(s) had untolerated taint"),
    ),
    case(
        "cluster quota",
        "kubernetes-quota",
        "quota for servers is used up",
        "ResourceQuota",
        raised(
            'pods "jupyter-ada" is forbidden: exceeded quota: team, requested: pods=1, used: pods=8,'
            " limited: pods=8"
        ),
    ),
    case(
        "pod deleted",
        "pod-deleted",
        "pod of the server was deleted",
        "an administrator or the cluster did",
        ran("The pod jupyter-ada was deleted.", 0),
        raised("The pod jupyter-ada was deleted while it started."),
    ),
    case(
        "cluster not there",
        "kubernetes-unreachable",
        "cannot reach the Kubernetes cluster: https://10.0.0.1 does not answer: Cannot connect",
        "API server",
        raised("Kubernetes does not answer: https://10.0.0.1 does not answer: Cannot connect"),
    ),
    case(
        "cluster refuses",
        "kubernetes-refused",
        "did not allow the hub",
        "service account",
        raised(
            'pods is forbidden: User "system:serviceaccount:jhub:hub" cannot create resource "pods":'
            ' pods "x" is forbidden'
        ),
        raised('admission webhook "policy.example" denied the request: no latest tags'),
    ),
    case(
        "volume not attached",
        "kubernetes-volume",
        "cannot be attached",
        "still in use",
        late("Multi-Attach error for volume pvc-1"),
        late("Warning  FailedMount  Unable to attach or mount volumes"),
    ),
    case(
        "evicted",
        "evicted",
        "evicted the server",
        "guaranteed",
        ran("The node was low on resource: memory.", 137),
        ran("Reason: Evicted", 137),
    ),
    case(
        "crash loop",
        "crash-loop",
        "ends again and again",
        "log below",
        late("Back-off restarting failed container notebook"),
        late("CrashLoopBackOff"),
    ),
    case(
        "batch account",
        "batch-account",
        "account or partition",
        "partition",
        raised(SLURM + "Invalid account or account/partition combination specified"),
        raised("sbatch: error: invalid partition specified: gpu"),
        raised(SLURM + "User's group not permitted to use this partition"),
        raised("qsub: Unknown queue"),
    ),
    case(
        "batch limit",
        "batch-limit",
        "allows you",
        "scancel",
        raised(
            SLURM + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
        ),
        late("JobState=PENDING Reason=QOSMaxJobsPerUserLimit"),
        raised(SLURM + "Requested time limit is invalid (missing or exceeds some limit)"),
    ),
    case(
        "batch time limit",
        "batch-time",
        "time limit was reached",
        "longer time",
        ran("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-26T12:00:00 DUE TO TIME LIMIT ***", 0),
        ran("PBS: job killed: walltime 3602 exceeded limit 3600", 271),
    ),
    case(
        "batch memory",
        "batch-memory",
        "more memory than was asked",
        "more memory",
        ran(
            "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch. Some of the step tasks have"
            " been OOM Killed.",
            137,
        ),
        ran("slurmstepd: error: Exceeded job memory limit", 1),
    ),
    case(
        "batch node failure",
        "batch-node",
        "has failed",
        "another machine",
        ran(
            "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-26T12:00:00 DUE TO NODE FAILURE, SEE"
            " SLURMCTLD LOG ***",
            0,
        ),
        ran("State=NODE_FAIL", 1),
    ),
    case(
        "batch job cancelled",
        "batch-cancelled",
        "cancelled the server's job",
        "Start it again",
        ran("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-26T12:00:00 ***", 143),
    ),
    case(
        "job cancelled",
        "batch-cancelled",
        "cancelled the server's job",
        "Start it again",
        raised("Job 5 has ended: CANCELLED, PartitionDown"),
    ),
    case(
        "job over its time",
        "batch-time",
        "time limit",
        "longer time",
        ran("Job 5 has ended with status 1: TIMEOUT"),
    ),
    case(
        "job over its memory",
        "batch-memory",
        "more memory",
        "ask for more memory",
        ran("Job 5 has ended with status 1: OUT_OF_MEMORY"),
    ),
    case(
        "job's machine gone", "batch-node", "has failed", "another machine", ran("Job 5 has ended: BOOT_FAIL")
    ),
    case("job held", "batch-held", "holds the server's job: Eqw", "mend", raised("Job 5 is held: Eqw")),
    case(
        "job not taken",
        "batch-refused",
        "refused the job: no such pool",
        "options",
        raised("The HTCondor did not take the job: no such pool"),
    ),
    case(
        "batch system away",
        "batch-unreachable",
        "batch system does not answer",
        "controller",
        raised("sbatch: error: Unable to contact slurm controller (connect failure)"),
        raised("squeue: error: slurm_load_jobs error: Socket timed out on send/recv operation"),
    ),
    case(
        "batch refuses",
        "batch-refused",
        "Node count specification invalid",
        "options",
        raised(SLURM + "Node count specification invalid"),
    ),
    case(
        "graphics driver",
        "gpu-driver",
        "graphics driver",
        "restart the machine",
        ended("Failed to initialize NVML: Driver/library version mismatch"),
        ended("RuntimeError: The NVIDIA driver on your system is too old (found version 10010)"),
    ),
    case(
        "no graphics card",
        "gpu-missing",
        "graphics card",
        "without one",
        raised('could not select device driver "" with capabilities: [[gpu]]'),
        ended("RuntimeError: No CUDA GPUs are available"),
        raised(SLURM + "Invalid generic resource (gres) specification"),
    ),
)
