c.Spawner.mem_limit = '2G'
c.JupyterHub.template_vars.update({'part': 20})
