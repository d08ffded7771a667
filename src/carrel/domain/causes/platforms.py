"""Containers, clusters, batch systems and graphics cards."""

from __future__ import annotations

from carrel.domain.causes.rule import Rule

_IMAGES = (
    Rule(
        "image-refused",
        "The image of the server may not be pulled: the registry wants a log-in{image}.",
        "The administrator has to give the hub's machine or cluster the registry's credentials, or correct"
        " the name.",
        says=r"pull access denied(?: for (?P<image>[^\s,]+))?|unauthorized: authentication required"
        r"|no basic auth credentials|denied: requested access"
        r"|403 Forbidden.{0,80}manifests",
    ),
    Rule(
        "image-broken",
        "The image of the server is for another kind of processor than the machine has.",
        "The administrator has to build it for this machine: docker build --platform.",
        says=r"exec format error.{0,40}(?:container|image)|no matching manifest for|image's platform",
    ),
    Rule(
        "image-missing",
        "The image of the server does not exist{image}.",
        "Choose another, or the administrator has to correct its name and tag, or build it.",
        says=r"(?:No such image:? ?|manifest for |manifest unknown|ImageNotFound|InvalidImageName"
        r"|ErrImageNeverPull"
        r"|repository does not exist)(?P<image>[\w./:@-]+[\w])?",
    ),
    Rule(
        "registry-unreachable",
        "The registry with the server's image does not answer.",
        "Try again in some minutes; if it fails again, the administrator has to look at the network or use"
        " a mirror.",
        says=(
            r"registry|docker\.io|quay\.io|ghcr\.io|https?://[^\s\"]+/v2/|pull",
            r"dial tcp|i/o timeout|no such host|TLS handshake timeout|net/http: request canceled"
            r"|toomanyrequests"
            r"|pull rate limit",
        ),
    ),
    Rule(
        "image-pull",
        "The image of the server could not be pulled{image}.",
        "The administrator has to see whether its name is right and the registry answers: kubectl describe"
        " pod says"
        " more.",
        says=r"(?:ImagePullBackOff|ErrImagePull|Back-off pulling image \"?|Failed to pull image \"?)"
        r"(?P<image>[\w./:@-]+\w)?",
    ),
)

_DOCKER = (
    Rule(
        "docker-disk-full",
        "The disk on which Docker keeps images and containers is full.",
        "The administrator has to make room there: docker system prune.",
        says=(r"docker|overlay2|containerd|failed to register layer", r"no space left on device"),
    ),
    Rule(
        "docker-unreachable",
        "The Docker engine does not answer.",
        "The administrator has to see whether it runs and whether the hub may use its socket (group docker).",
        says=r"Cannot connect to the Docker daemon|Error while fetching server API version|docker\.sock"
        r"|Cannot connect to host localhost:2375|DockerException",
    ),
    Rule(
        "container-name",
        "A container of that name is there already.",
        "Try again; the administrator may have to remove the old one: docker rm -f NAME.",
        says=r"container name \S+ is already in use|Conflict.{0,60}container|name is reserved",
    ),
    Rule(
        "container-command",
        "The container's command is not in its image: {command}",
        "The image needs jupyterhub-singleuser or carrel-singleuser (pip install carrel-client), or"
        " c.Spawner.cmd has to"
        " name what it has.",
        says=r"exec: \\?\"(?P<command>[^\"\\]+)\\?\": (?:executable file not found|stat .*no such file"
        r"|permission denied)"
        r"|OCI runtime (?:create|exec) failed: (?P<command2>.{1,120})"
        r"|\[FATAL tini[^\]]*\] exec (?P<command3>\S+) failed",
    ),
    Rule(
        "volume-missing",
        "A directory or volume that the container should have is not there: {volume}",
        "The administrator has to make it, or correct the spawner's volumes.",
        says=r"bind source path does not exist: (?P<volume>\S+)"
        r"|invalid mount config.{0,20}: (?P<volume2>.{1,100})"
        r"|no such volume: (?P<volume3>\S+)|persistentvolumeclaim \"(?P<volume4>[^\"]+)\" not found",
    ),
    Rule(
        "network-missing",
        "A container network that the server should join is not there: {network}",
        "The administrator has to create it, or correct c.DockerSpawner.network_name.",
        says=r"network (?P<network>\S+) not found"
        r"|could not find (?:a )?network(?: matching)? (?P<network2>\S+)",
    ),
)

_KUBERNETES = (
    Rule(
        "kubernetes-quota",
        "The cluster's quota for servers is used up.",
        "Stop another server of yours or ask for a smaller one; the administrator can raise the"
        " ResourceQuota.",
        says=r"exceeded quota:|forbidden: exceeded quota|maximum (?:cpu|memory) usage per (?:Pod|Container)",
    ),
    Rule(
        "kubernetes-full",
        "No machine of the cluster has room for this server.",
        "Try again later or ask for a smaller one; the administrator can add machines.",
        says=r"FailedScheduling|Insufficient (?:cpu|memory|nvidia\.com/gpu|pods|ephemeral-storage)"
        r"|Unschedulable"
        r"|\d+/\d+ nodes are available|didn't match (?:Pod's )?node (?:affinity|selector)"
        r"|had untolerated taint",
    ),
    Rule(
        "kubernetes-volume",
        "The volume with your files cannot be attached to the server.",
        "Try again in some minutes; if it fails again, the administrator has to see where it is still in"
        " use.",
        says=r"FailedMount|FailedAttachVolume|Multi-Attach error|unbound immediate PersistentVolumeClaims"
        r"|volume node affinity conflict",
    ),
    Rule(
        "evicted",
        "The cluster has evicted the server: its machine ran short of something, or is taken out of service.",
        "Start it again; ask for one that is guaranteed more.",
        says=r"node was low on resource|reason: ?\"?Evicted|was evicted|DeletionByTaintManager|Preempted by"
        r"|DisruptionTarget",
    ),
    Rule(
        "crash-loop",
        "The server's container ends again and again soon after its start.",
        "Its log below says why; most often the command or the image is wrong.",
        says=r"CrashLoopBackOff|Back-off restarting failed container",
    ),
    Rule(
        "pod-deleted",
        "The pod of the server was deleted.",
        "Start it again. If it was not you, an administrator or the cluster did, as when a machine is"
        " taken out of service.",
        says=r"^The pod \S+ was deleted\b",
    ),
    Rule(
        "kubernetes-unreachable",
        "The hub cannot reach the Kubernetes cluster: {why}",
        "Try again in some minutes; if it fails again, the administrator has to look at the cluster's API"
        " server.",
        says=r"^Kubernetes does not answer: (?P<why>.+)",
    ),
    Rule(
        "kubernetes-refused",
        "The cluster did not allow the hub to start the server.",
        "The administrator has to give the hub's service account the rights, or see what the admission"
        " rules want.",
        says=r"(?:pods|services|secrets|persistentvolumeclaims) .{0,40}is forbidden"
        r"|admission webhook .{0,80}denied"
        r"|violates PodSecurity",
    ),
)

_BATCH = (
    Rule(
        "batch-account",
        "The batch system does not know the account or partition of this job, or you may not use it.",
        "Choose another partition, account or quality of service; the administrator knows which are yours.",
        says=r"Invalid account|Invalid partition|Invalid qos|invalid partition specified"
        r"|User's group not permitted to use this partition|Unknown queue|Unauthorized Request.{0,40}queue",
    ),
    Rule(
        "batch-limit",
        "You have as many jobs, or ask for as much, as the batch system allows you.",
        "End another job (squeue --me, scancel), or ask for less time or fewer resources.",
        says=r"QOSMax\w+|QOSGrp\w+|AssocMax\w+|AssocGrp\w+|violates accounting/QOS policy|job submit limit"
        r"|exceeds? (?:queue|partition|resource) limit|Requested time limit is invalid"
        r"|Requested node configuration is not available|More processors requested than permitted",
    ),
    Rule(
        "batch-time",
        "The batch system ended the server: its time limit was reached.",
        "Start it again; ask for a longer time if you need it.",
        says=r"DUE TO TIME LIMIT|walltime .{0,30}exceeded|job exceeded (?:time|walltime) limit"
        r"|TIMEOUT\b.*slurm|TERM_RUNLIMIT|^Job \S+ has ended.{0,20}: (?:TIMEOUT|DEADLINE)",
    ),
    Rule(
        "batch-memory",
        "The batch system ended the server: it used more memory than was asked for.",
        "Start it again and ask for more memory.",
        says=r"slurmstepd: error: .{0,60}(?:oom|memory)|exceeded (?:job|step) memory limit"
        r"|oom_kill event in StepId"
        r"|job .{0,40}mem .{0,20}exceeded limit|job exceeded mem limit|TERM_MEMLIMIT"
        r"|^Job \S+ has ended.{0,20}: OUT_OF_MEMORY",
    ),
    Rule(
        "batch-node",
        "The machine on which the batch system ran the server has failed.",
        "Start it again: it gets another machine.",
        says=r"DUE TO NODE FAILURE|NODE_FAIL|CANCELLED AT .{0,40}DUE TO PREEMPTION|node failure|TERM_PREEMPT"
        r"|^Job \S+ has ended.{0,20}: (?:BOOT_FAIL|PREEMPTED)",
    ),
    Rule(
        "batch-cancelled",
        "Somebody cancelled the server's job in the batch system.",
        "Start it again.",
        says=r"slurmstepd: error: \*\*\* (?:JOB|STEP) \S+ ON \S+ CANCELLED AT \S+ \*\*\*"
        r"|job .{0,30}was cancelled by|TERM_OWNER|TERM_ADMIN"
        r"|^Job \S+ has ended.{0,20}: (?:CANCELLED|removed)",
    ),
    Rule(
        "batch-held",
        "The batch system holds the server's job: {reason}",
        "Show this page to the administrator: somebody has to mend what it names.",
        says=r"^Job \S+ is held.{0,20}: (?P<reason>.+)",
    ),
    Rule(
        "batch-unreachable",
        "The batch system does not answer.",
        "Try again in some minutes; if it fails again, the administrator has to look at its controller.",
        says=r"Unable to contact slurm controller|Socket timed out on send/recv operation"
        r"|cannot connect to server .{0,60}pbs"
        r"|qmaster.{0,60}(?:refused|unreachable)|LSF is down"
        r"|did not take the job: \S+ did not answer within",
    ),
    Rule(
        "batch-refused",
        "The batch system refused the job: {reason}",
        "Correct what it names in the options, or show this page to the administrator.",
        says=r"sbatch: error: (?:Batch job submission failed: )?(?P<reason>.+)|qsub: (?P<reason2>.+)"
        r"|did not take the job: (?P<reason3>.+)",
    ),
)

_CARDS = (
    Rule(
        "gpu-driver",
        "The graphics driver of the machine does not fit the libraries of the server.",
        "The administrator has to restart the machine after a driver update, or use an image for the"
        " driver's version.",
        says=r"Driver/library version mismatch|CUDA driver version is insufficient"
        r"|driver on your system is too old"
        r"|unsatisfied condition: cuda|forward compatibility was attempted",
    ),
    Rule(
        "gpu-missing",
        "The server asks for a graphics card, and there is none to be had.",
        "Choose a server without one, or try again when somebody has ended theirs.",
        says=r"could not select device driver .{0,60}gpu|no CUDA-capable device|No CUDA GPUs are available"
        r"|NVIDIA-SMI has failed|nvidia-container-cli: .{0,60}(?:error|failed)"
        r"|Unable to determine the device handle"
        r"|Invalid generic resource \(gres\)",
    ),
)

RULES = _CARDS + _IMAGES + _DOCKER + _KUBERNETES + _BATCH
