"""The Kubernetes and ECS settings with every key, in the model's order and in their stable form."""

from __future__ import annotations

_SECRET = "aGlkZGVuIHZhbHVl"


def kubernetes() -> dict[str, object]:
    return {**_cluster(), **_kubelet()}


def _cluster() -> dict[str, object]:
    return {
        "cluster-name": "my-cluster",
        "cluster-certificate": "Y2VydGlmaWNhdGU=",
        "api-server": "https://api.example.com:6443",
        "authentication-mode": "tls",
        "bootstrap-token": "hidden.0123456789abcdef",
        "standalone-mode": False,
        "cluster-domain": "cluster.local",
        "cluster-dns-ip": ["10.100.0.10", "2001:db8::a"],
        "cloud-provider": "",
        "provider-id": "aws:///eu-west-1a/i-0123456789abcdef0",
        "node-ip": "192.0.2.7",
        "hostname-override": "node-7.example.com",
        "hostname-override-source": "private-dns-name",
        "node-labels": {"role": "worker", "example.com/empty": ""},
        "node-taints": {"dedicated": ["experimental:PreferNoSchedule", ":NoExecute"]},
        "server-tls-bootstrap": False,
        "server-certificate": "Y2VydGlmaWNhdGU=",
        "server-key": _SECRET,
        "static-pods-enabled": True,
        "static-pods": {"proxy": {"enabled": True, "manifest": "YXBpVmVyc2lvbjogdjEK"}},
        "credential-providers": {
            "ecr-credential-provider": {
                "enabled": True,
                "image-patterns": ["*.dkr.ecr.*.amazonaws.com"],
                "cache-duration": "12h",
                "environment": {"HTTPS_PROXY": "http://proxy.example:3128"},
            }
        },
        "pod-infra-container-image": "localhost/kubernetes/pause:0.1.0",
        "container-runtime-endpoint": "unix:///run/containerd/containerd.sock",
    }


def _kubelet() -> dict[str, object]:
    return {
        "max-pods": 110,
        "pod-pids-limit": -1,
        "ids-per-pod": 131072,
        "kube-reserved": {"cpu": "100m", "memory": "512Mi", "ephemeral-storage": "1Gi", "pid": "1000"},
        "system-reserved": {"cpu": "10m"},
        "reserved-cpus": "0-1,7",
        "eviction-hard": {"memory.available": "15%", "nodefs.inodesFree": "5%"},
        "eviction-soft": {"memory.available": "1Gi"},
        "eviction-soft-grace-period": {"memory.available": "1m30s"},
        "eviction-max-pod-grace-period": 40,
        "cpu-cfs-quota-enforced": True,
        "cpu-manager-policy": "static",
        "cpu-manager-policy-options": [
            "full-pcpus-only",
            "distribute-cpus-across-numa",
            "strict-cpu-reservation",
            "prefer-align-cpus-by-uncorecache",
        ],
        "cpu-manager-reconcile-period": "5s",
        "topology-manager-policy": "single-numa-node",
        "topology-manager-scope": "pod",
        "topology-manager-policy-options": {"prefer-closest-numa-nodes": True, "max-allowable-numa-nodes": 16},
        "memory-manager-policy": "Static",
        "memory-manager-reserved-memory": {
            "0": {"enabled": True, "memory": "1Gi", "hugepages-1Gi": "2Gi", "hugepages-2Mi": "64Mi"},
            "1": {"enabled": False},
        },
        "memory-swap-behavior": "LimitedSwap",
        "memory-reservation-policy": "TieredReservation",
        "memory-throttling-factor": 0.9,
        "single-process-oom-kill": True,
        "image-gc-high-threshold-percent": 90,
        "image-gc-low-threshold-percent": 70,
        "image-minimum-gc-age": "5m",
        "image-maximum-gc-age": "168h",
        "max-parallel-image-pulls": 4,
        "container-log-max-size": "10Mi",
        "container-log-max-files": 5,
        "container-log-max-workers": 2,
        "container-log-monitor-interval": "10s",
        "registry-qps": 0,
        "registry-burst": 10,
        "event-qps": 50,
        "event-burst": 100,
        "kube-api-qps": 50,
        "kube-api-burst": 100,
        "shutdown-grace-period": "2m",
        "shutdown-grace-period-for-critical-pods": "30s",
        "allowed-unsafe-sysctls": ["net.core.somaxconn", "net.ipv4.*"],
        "seccomp-default": True,
        "device-ownership-from-security-context": True,
        "log-level": 2,
    }


def ecs() -> dict[str, object]:
    return {
        "cluster": "my-cluster",
        "instance-attributes": {"rack": "r 1", "example.com/zone": "eu:a"},
        "allow-privileged-containers": False,
        "logging-drivers": ["json-file", "awslogs", "none"],
        "loglevel": "info",
        "enable-spot-instance-draining": True,
        "image-pull-behavior": "prefer-cached",
        "container-stop-timeout": "30s",
        "task-cleanup-wait": "1h30m",
        "metadata-service-rps": 50,
        "metadata-service-burst": 100,
        "reserved-memory": 65535,
        "image-cleanup-wait": "30m",
        "image-cleanup-delete-per-cycle": 5,
        "image-cleanup-enabled": True,
        "image-cleanup-age": "1h",
        "backend-host": "ecs.eu-west-1.amazonaws.com",
        "awsvpc-block-imds": True,
        "enable-container-metadata": True,
    }
