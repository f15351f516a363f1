# Made by earlyboot from the settings. What is changed here is lost.

[host."https://first.example/v2/hub"]
capabilities = ["pull", "resolve"]
override_path = true

[host."https://second.example:5000"]
capabilities = ["pull", "resolve"]

[host."http://third.example"]
capabilities = ["pull", "resolve"]

[host."https://httpbin.example"]
capabilities = ["pull", "resolve"]
