"""The scalars of the Kubernetes settings, and the values of theirs that are written in more than one form.

The patterns follow what kubelet and the API server take; where Bottlerocket's own are wider, only by what no kubelet takes.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from earlyboot.model.table import Compound, Listed, TextOrOther
from earlyboot.model.types import IpAddr, Scalar, names

_ALNUM = "[0-9A-Za-z]"
_LABEL = rf"{_ALNUM}(?:[0-9A-Za-z._-]{{0,61}}{_ALNUM})?"
_NUMBER = r"(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})"
_QUANTITY = rf"[+-]?{_NUMBER}(?:e[0-9]{{1,3}}|[EPTGMK]i?|[numk])?"
_TIME = r"[0-9]{1,18}(?:\.[0-9]{1,18})?"


class LabelKey(Scalar):
    """https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set"""

    rule = (
        "a label's key: 1 to 63 letters, digits, '.', '_' and '-', with a letter or digit at both ends, "
        "after an optional prefix such as 'example.com/'"
    )
    example = "example.com/role"
    pattern = rf"(?:[0-9A-Za-z.-]{{1,253}}/)?{_LABEL}"


class LabelValue(Scalar):
    rule = "a label's value: empty, or 1 to 63 letters, digits, '.', '_' and '-', with a letter or digit at both ends"
    example = "worker"
    pattern = f"(?:{_LABEL})?"


class TaintValue(Scalar):
    rule = "a taint: a label's value, which may be empty, then ':' and an effect such as NoSchedule"
    example = "special:NoSchedule"
    pattern = f"(?:{_LABEL})?:{_ALNUM}{{1,253}}"


class ClusterName(Scalar):
    """https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html"""

    rule = "a cluster's name: 1 to 100 letters, digits, '_' and '-', beginning with a letter or digit"
    example = "my-cluster"
    pattern = f"{_ALNUM}[0-9A-Za-z_-]{{0,99}}"


class BootstrapToken(Scalar):
    """https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/"""

    rule = "a bootstrap token: 6 lower-case letters and digits, a dot, and 16 more"
    example = "abcdef.0123456789abcdef"
    pattern = r"[0-9a-z]{6}\.[0-9a-z]{16}"


class EvictionSignal(Scalar):
    """https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-signals"""

    rule = (
        "one of memory.available, nodefs.available, nodefs.inodesFree, imagefs.available, imagefs.inodesFree "
        "and pid.available"
    )
    example = "memory.available"
    pattern = r"(?:memory|nodefs|imagefs|pid)\.available|(?:nodefs|imagefs)\.inodesFree"


class Quantity(Scalar):
    """A number with a unit. Kubernetes has no `K`, only `k`; Bottlerocket lets both be written, so that is what is stored.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """

    rule = "a quantity: a number with an optional unit, such as 500m, 129e6, 100M or 2Gi"
    example = "512Mi"
    pattern = _QUANTITY

    @classmethod
    def check(cls, text: str) -> str:
        return super().check(text).replace("K", "k") if text.endswith("K") else super().check(text)


class Threshold(Quantity):
    rule = "a quantity such as 500Mi, or a percentage from 0% to below 100%"
    example = "10%"
    pattern = rf"\+?(?:0{{0,30}}[0-9]{{1,2}}(?:\.[0-9]{{0,30}})?|0{{0,30}}\.[0-9]{{1,30}})%|{_QUANTITY}"


class ReservedResource(Scalar):
    rule = "one of cpu, memory, ephemeral-storage and pid"
    example = "memory"
    pattern = "cpu|memory|ephemeral-storage|pid"


class CloudProvider(Scalar):
    """Empty stands for none; so does a literal pair of quotes, which is how Bottlerocket stores an empty one."""

    rule = "'aws', 'external' or empty"
    example = "external"
    pattern = '(?:aws|external|"")?'

    @classmethod
    def check(cls, text: str) -> str:
        return super().check(text).strip('"')


class CpuManagerPolicy(Scalar):
    """Stored in lower case, as kubelet knows it."""

    rule = "'static' or 'none'"
    example = "static"
    pattern = "[Ss]tatic|[Nn]one"

    @classmethod
    def check(cls, text: str) -> str:
        return super().check(text).lower()


class MemoryManagerPolicy(Scalar):
    """Stored capitalised, as kubelet knows it."""

    rule = "'Static' or 'None'"
    example = "Static"
    pattern = "[Ss]tatic|[Nn]one"

    @classmethod
    def check(cls, text: str) -> str:
        return super().check(text).capitalize()


class Duration(Scalar):
    rule = "a duration: hours, minutes, seconds and milliseconds in that order, such as 30s or 1h30m"
    example = "30s"
    pattern = f"(?=.)(?:{_TIME}h)?(?:{_TIME}m)?(?:{_TIME}s)?(?:{_TIME}ms)?"


class DnsDomain(Scalar):
    """A domain whose last part is no number: with one, it would be an IP address (https://url.spec.whatwg.org/#host-parsing)."""

    rule = (
        "a domain name of at most 253 letters, digits, '-', '_', '*' and '.', not an IP address, without a leading '.'"
    )
    example = "cluster.local"
    pattern = (
        r"(?=.{1,253}\Z)(?!(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\Z)"
        r"[0-9A-Za-z_*-]{1,63}(?:\.[0-9A-Za-z_*-]{1,63})*\.?"
    )


class CpuSet(Scalar):
    """cpuset(7), "List format"."""

    rule = "a list of CPUs: numbers and ranges, separated by commas, such as 0-2,7"
    example = "0-1"
    pattern = "[0-9]{1,9}(?:-[0-9]{1,9})?(?:,[0-9]{1,9}(?:-[0-9]{1,9})?)*"


class EnvironmentName(Scalar):
    rule = "the name of an environment variable: 1 to 255 letters, digits, '_', '.' and '-', not beginning with a digit"
    example = "AWS_PROFILE"
    pattern = "[A-Za-z_.-][0-9A-Za-z_.-]{0,254}"


class PercentText(Scalar):
    """A percentage written as text; it is stored as the number."""

    rule = "a whole number from 0 to 100"
    example = "85"
    pattern = "0{0,9}(?:[0-9]{1,2}|100)"


class IntegerPercent(TextOrOther):
    """A percentage, as a number or as text; equal ones are stored alike, as the number."""

    rule = "a whole number from 0 to 100"
    example = "85"
    forms = (Annotated[int, Meta(ge=0, le=100)], PercentText)

    @classmethod
    def settled(cls, converted: Any) -> object:
        return int(converted)


class ClusterDnsIps(Listed):
    """One address or a list; stored as the list that kubelet wants."""

    rule = "an IP address, or a list of them"
    example = '["10.100.0.10"]'
    forms = (IpAddr, tuple[IpAddr, ...])


class TaintValues(Listed):
    """The taints of one key: one, or a list; stored as the list."""

    rule = "a taint such as special:NoSchedule, or a list of one or more"
    example = '["special:NoSchedule"]'
    forms = (TaintValue, Annotated[tuple[TaintValue, ...], Meta(min_length=1)])


class IdsPerPod(Compound):
    """https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/#id-count-for-each-of-pods"""

    rule = "a multiple of 65536, from 65536 to 4294901760"
    example = "65536"
    forms = (Annotated[int, Meta(ge=65536, le=2**32 - 65536)],)

    @classmethod
    def settled(cls, converted: Any) -> object:
        if converted % 65536:
            raise ValueError(f"must be {cls.rule}")
        return converted


class ThrottlingFactor(Compound):
    rule = "a number greater than 0, at most 1"
    example = "0.9"
    forms = (Annotated[float, Meta(gt=0, le=1)],)


LabelName = Annotated[str, names(LabelKey)]
SignalName = Annotated[str, names(EvictionSignal)]
ResourceName = Annotated[str, names(ReservedResource)]
VariableName = Annotated[str, names(EnvironmentName)]

I32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
I64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
NonNegative = Annotated[int, Meta(ge=0, le=2**31 - 1)]
