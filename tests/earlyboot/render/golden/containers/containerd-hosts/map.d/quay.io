# Made by earlyboot from the settings. What is changed here is lost.

[host."https://mirror.example/a'b"]
capabilities = ["pull", "resolve"]
override_path = true
