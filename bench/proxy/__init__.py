"""carrel-proxy measured beside configurable-http-proxy, nginx and HAProxy: CPU, time to add a route, memory.

`systems` knows each proxy's command and configuration, `running` a started one, `upstream` the servers
behind, `loads` and `websockets` what is measured, `rounds` the order of it, `report` the bars and the page.
"""
