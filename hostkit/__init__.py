"""The only code that touches the machine: files, commands, HTTP, systemd; and what every layer shares, errors first."""
