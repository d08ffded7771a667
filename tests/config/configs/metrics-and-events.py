import json
import logging

c = get_config()
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.authenticate_prometheus = False
c.PeriodicMetricsCollector.active_users_enabled = True
c.EventLogger.handlers = [logging.StreamHandler()]
c.JupyterHub.extra_log_handlers = [logging.FileHandler('extra.log')]
c.Application.log_level = 'INFO'
#: login = ada:x
#: warns = jupyterhub_config.py:9: PeriodicMetricsCollector.active_users_enabled: not used: counts are made when /hub/metrics is read
#: check = unused PeriodicMetricsCollector.active_users_enabled
