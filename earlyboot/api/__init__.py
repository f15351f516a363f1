"""The settings API: one contract, the server, the client, the store behind it."""
