from jupyterhub.spawner import LocalProcessSpawner


class DemoFormSpawner(LocalProcessSpawner):
    def _options_form_default(self):
        return '<label for="args">Extra notebook CLI arguments</label><input name="args">'

    def options_from_form(self, formdata):
        return {'argv': formdata.get('args', [''])[0].split()}

    def get_args(self):
        return super().get_args() + self.user_options.get('argv', [])


c.JupyterHub.spawner_class = DemoFormSpawner
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.ip = '127.0.0.1'
c.DemoFormSpawner.debug = True
c.LocalProcessSpawner.popen_kwargs = {'umask': 0o027}
#: login = ada:x
