import os
import shutil
from pathlib import Path


def make_directories(spawner):
    home = Path('/tmp') / spawner.user.name
    (home / 'work').mkdir(parents=True, exist_ok=True)
    spawner.environment['COURSE'] = spawner.user_options.get('course', '')


def clean(spawner):
    shutil.rmtree(os.path.join('/tmp', spawner.user.name, 'scratch'), ignore_errors=True)


def form(spawner):
    return '<label for="course">Course</label><select name="course"><option>physics</option></select>'


def read(formdata):
    return {'course': formdata.get('course', [''])[0]}


c = get_config()
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.Spawner.pre_spawn_hook = make_directories
c.Spawner.post_stop_hook = clean
c.Spawner.options_form = form
c.Spawner.options_from_form = read
c.Spawner.environment = {'LANG': 'en_US.UTF-8', 'WHO': lambda spawner: spawner.user.name}
#: login = ada:x
