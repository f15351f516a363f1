"""Good and bad text for every scalar of the model."""

from __future__ import annotations

import base64

from earlyboot.model.access import SshPublicKey
from earlyboot.model.boot import BootConfigKey, BootConfigValue
from earlyboot.model.byte_size import SizeText
from earlyboot.model.container_registry import RegistryAuth, RegistryHost, RegistryServer
from earlyboot.model.image_verifier_plugins import TrustPolicy
from earlyboot.model.kernel import HugepageCount
from earlyboot.model.kubelet_device_plugins import MigProfile, NvidiaGpuModel
from earlyboot.model.measurement import ExcludedSetting
from earlyboot.model.metrics import ServiceName
from earlyboot.model.types import (
    Argument,
    ChronyLog,
    ChronyOption,
    FriendlyVersion,
    Identifier,
    InterfaceName,
    IpAddr,
    KmodKey,
    MultiLineText,
    OciImageRef,
    PemCertificate,
    Scalar,
    SingleLineString,
    SysctlKey,
    SysctlValue,
    TimeServerAddress,
    ValidBase64,
    ValidLinuxHostname,
)
from tests.earlyboot.model import tables_kubernetes


def ssh_key(kind: str, *, inside: str | None = None, data: bytes = b"\0\0\0\4data") -> str:
    """The line of a key of one type; `inside` is the type that its data claims to be."""
    name = (kind if inside is None else inside).encode()
    blob = len(name).to_bytes(4, "big") + name + data
    return f"{kind} {base64.b64encode(blob).decode()}"


SSH_KEY = ssh_key("ssh-ed25519")

GOOD: dict[type[Scalar], tuple[str, ...]] = {
    **tables_kubernetes.GOOD,
    SingleLineString: ("", "a b", "é", "with\ttab", "x" * 10_000),
    MultiLineText: ("", "two\nlines\r\n", "\x1b[31mred\x1b[0m"),
    Argument: ("", "-c", "set -e\necho hello\n"),
    ValidBase64: ("", "aGVsbG8=", "AA==", "+/+/"),
    PemCertificate: ("", " \n"),
    TimeServerAddress: ("169.254.169.123", "2.amazon.pool.ntp.org", "[::1]", "https://time.example"),
    ChronyOption: ("iburst", "minpoll 4", "minpoll 4 maxpoll 10", "offset -0.001"),
    ChronyLog: ("tracking", "refclocks"),
    OciImageRef: ("public.ecr.aws/x/y:v1@sha256:00", "localhost:5000/a"),
    ValidLinuxHostname: ("a", "0", "a-", "a.b", "node-1.example.com", "a" * 63, ".".join(["a" * 62] * 4)),
    Identifier: ("a", "0", "A-b-9", "-", "a" * 76),
    InterfaceName: ("eth0", "a" * 15, "en-p1_s0", "br@x"),
    FriendlyVersion: ("latest", "1.2.3", "v1.2.3", "0.0.0-rc.1+build.5", "1.2.3-0a", "1.2.3--"),
    SysctlKey: ("net.ipv4.ip_forward", "net/ipv4/conf/eth0.5/forwarding", "a", "a" * 128, "-", "a."),
    SysctlValue: ("", "1", "4096\t87380\t6291456"),
    KmodKey: ("a", "br_netfilter", "x-y", "a" * 56),
    IpAddr: ("1.2.3.4", "::", "::1", "2001:db8::1"),
    SshPublicKey: (
        SSH_KEY,
        f"{SSH_KEY} admin@example.com",
        f"{SSH_KEY} a comment, with é",
        f"{SSH_KEY} ",
        ssh_key("ssh-rsa"),
        ssh_key("ecdsa-sha2-nistp256"),
        ssh_key("ecdsa-sha2-nistp384"),
        ssh_key("ecdsa-sha2-nistp521"),
        ssh_key("sk-ssh-ed25519@openssh.com"),
        ssh_key("sk-ecdsa-sha2-nistp256@openssh.com"),
    ),
    BootConfigKey: ("console", "a.b", "-a._b.1", "A_9-"),
    BootConfigValue: ("", " ", "ttyS0,115200n8", "it's", 'say "x"', "a;b#c}{=~!", "\\"),
    SizeText: (
        *("0", "1024", "8b", "16kb", "16KB", "64mb", "3mib", "1gb", "1.5gb", ".5gb", "42.7MB", "1k", "1Ki", "2TiB"),
        *("9223372036854775807", "8191pib"),
    ),
    RegistryHost: ("docker.io", "localhost:5000", "*", "_default", "[::1]:5000", "public.ecr.aws", "a" * 253),
    RegistryServer: ("docker.io", "https://index.docker.io/v1/", "localhost:5000", "*"),
    RegistryAuth: ("", "dXNlcjpwYXNzd29yZA=="),
    HugepageCount: ("0", "512", "0:128", "0:128,1:256", "0:0,1:0,2:512"),
    MigProfile: ("1g.5gb", "7g.80gb", "1g.10gb+me", "1", "7", "12"),
    NvidiaGpuModel: ("a100.40gb", "h200.141gb", "rtx-pro-6000.96gb"),
    TrustPolicy: ("e30=", "bnVsbA==", "eyJ2ZXJzaW9uIjogIjEuMCJ9"),
    ExcludedSetting: (
        *("host-containers", "settings.network.hostname", "measurements", "measurement-of-mine", "settings-of-mine"),
        'kernel.sysctl."net.core.rmem_max"',
    ),
    ServiceName: ("chronyd", "host-containerd", "getty@tty1.service"),
}

BAD: dict[type[Scalar], tuple[str, ...]] = {
    **tables_kubernetes.BAD,
    SingleLineString: ("a\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\x00", "\x1b", "\x7f", "\ud800"),
    MultiLineText: ("\x00", "\ud800"),
    Argument: ("a\x00b", "\udfff"),
    ValidBase64: (
        "a",
        "aGVsbG8",
        "aGVsbG8=\n",
        "aGVs bG8=",
        "QR==",
        "-_-_",
        "=",
        "AA==AA==",
        "AA===",
        "é",
        "\ud800",
    ),
    PemCertificate: ("zz", "aGVsbG8=", "-----BEGIN CERTIFICATE-----"),
    TimeServerAddress: ("", "a b", "http://", "a\n"),
    ChronyOption: ("", " ", "a  b", " a", "a ", "a\n", "a\nserver b", "a\tb", "é"),
    ChronyLog: ("", "Tracking", "a b", "a\n", "a1"),
    OciImageRef: ("", "a b", "é", "a\n", "a\x7f", "\t"),
    ValidLinuxHostname: ("", "A", "-a", ".a", "a.", "a..b", "a.-b", "a_b", "a" * 64, "a\n", "a.b" * 90, "٣", "é"),
    Identifier: ("", "a_b", "a.b", "a b", "é", "a\n", "a" * 77, "٣"),
    InterfaceName: ("", "a" * 16, "a b", "a.b", "a/b", "a:b", "a\n", "é", "\x7f"),
    FriendlyVersion: (
        *("", "latest ", "latest\n", "Latest", "v1", "vv1.0.0", "1.2", "1.2.3.4"),
        *("01.2.3", "1.2.3-01", "1.2.3-", "1.2.3+", "1.2.3\n", "1.2.٣"),
    ),
    SysctlKey: ("", ".a", "/a", "a..b", "a b", "a" * 129, "a\n", "é", "a;b"),
    SysctlValue: ("1\n", "1\x00", "\u2028"),
    KmodKey: ("", "a.b", "a b", "a" * 57, "a\n", "é"),
    IpAddr: (
        "",
        "1.2.3",
        "1.2.3.4\n",
        "01.2.3.4",
        "1.2.3.256",
        "fe80::1%eth0",
        "[::1]",
        "1.2.3.4/8",
        "١.2.3.4",
        "::g",
    ),
    SshPublicKey: (
        *("", " ", "ssh-ed25519", "ssh-ed25519 ", SSH_KEY + "\n", "\n" + SSH_KEY, " " + SSH_KEY, SSH_KEY + "\u2028"),
        *(f"{SSH_KEY}\n{SSH_KEY}", f"{SSH_KEY} a\x00b", SSH_KEY.replace(" ", "  "), SSH_KEY.replace(" ", "\t")),
        *(f'command="id" {SSH_KEY}', f"no-pty {SSH_KEY}", SSH_KEY.replace("ed25519", "ED25519")),
        *(ssh_key("ssh-dss"), ssh_key("ssh-ed25519-cert-v01@openssh.com"), "ssh-ed25519 AAAA", "ssh-ed25519 !!!!"),
        ssh_key("ssh-ed25519", inside="ssh-rsa"),
        ssh_key("ssh-rsa", inside="ssh-rsa-"),
        ssh_key("ssh-ed25519", data=b""),
        SSH_KEY[:-1],
        SSH_KEY + "\udfff",
    ),
    BootConfigKey: ("", ".", "a.", ".a", "a..b", "a b", "a=b", "é", "a\n", "a/b", "٣"),
    BootConfigValue: ("\"'", "a\nb", "\t", "é", "\x00", "\x7f", "x\n"),
    SizeText: (
        *("", "abc", "8.5.2mb", "1000 KB", "10 mb", "-1", "+1", "1e3", "1.", "mb", "1xb", "1ib", "1mbit", "1\n", "٣"),
        *("9223372036854775808", "8192pib", "9" * 5000),
    ),
    RegistryHost: (
        *("", ".", "..", ".hidden", "-a", "a/b", "https://a", "a b", "**", "a:", "a:x", "a:123456", "[::1", "é", "a\n"),
        *("../../etc", "a" * 254),
    ),
    RegistryServer: ("", "a b", "é", "a\n", "\t"),
    RegistryAuth: ("user:password", "QR==", "AA==\n"),
    HugepageCount: (
        *("", "-1", "12.5", "abc", "0:", ":128", "0:128,", ",0:128", "0:128,1", "0:128 ,1:256", "0:1:2", "1\n", "٣"),
        "9" * 11,
    ),
    MigProfile: ("", "0", "01", "1g", "1g.5", "1G.5GB", "g.5gb", "1g.5gb+", "1g.5gb\n", "123"),
    NvidiaGpuModel: ("", "a100", "a100.40", "100.40gb", "A100.40gb", "a100.40gb\n", "a100.gb", "a/b.1gb"),
    TrustPolicy: ("", "e30", "bm90IGpzb24=", "/w==", "W1s=", "{}"),
    ExcludedSetting: (
        *("", "settings", "settings.", "measurement", "measurement.excluded-settings", "settings.measurement"),
        *("settings.measurement.excluded-settings", "*", "host-containers.*", "a b", "a\n", "é"),
    ),
    ServiceName: ("", "a b", "a/b", "é", "a\n", "a" * 256),
}
