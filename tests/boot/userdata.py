"""The user data that the boot tests give to their machines, and what comes of it."""

from __future__ import annotations

import gzip

SECRET = "s3cret-Passw0rd"
HOSTNAME = "node-1.example.internal"
MOTD = "This machine is what its operator described.\n"

TOML = f'''[settings]
motd = """
{MOTD}"""

[settings.network]
hostname = "{HOSTNAME}"
hosts = [["10.0.0.1", ["db.example.internal", "db"]]]
https-proxy = "http://proxy-user:{SECRET}@proxy.example.internal:3128"
no-proxy = [".example.internal"]

[settings.ntp]
time-servers = ["ntp.example.internal"]
options = ["iburst"]

[settings.kernel.sysctl]
"net.ipv4.ip_forward" = "1"
'''

GZIPPED = gzip.compress(TOML.encode(), mtime=0)
