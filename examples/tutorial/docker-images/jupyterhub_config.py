"""A form from which users choose the image of their container, off a list. `pip install dockerspawner`."""

from html import escape

from dockerspawner import DockerSpawner
from traitlets import default

IMAGES = {
    "quay.io/jupyter/minimal-notebook": "Minimal",
    "quay.io/jupyter/scipy-notebook": "Scientific Python",
    "quay.io/jupyter/r-notebook": "R",
    "quay.io/jupyter/datascience-notebook": "Python, R and Julia",
    "quay.io/jupyter/pyspark-notebook": "Spark",
}


class ImageFormSpawner(DockerSpawner):
    @default("options_form")
    def _options_form(self):
        options = "".join(f'<option value="{escape(i)}">{escape(t)}</option>' for i, t in IMAGES.items())
        return f'<label for="notebook">Image</label> <select id="notebook" name="notebook">{options}</select>'

    def options_from_form(self, formdata):
        image = formdata.get("notebook", [""])[0]
        # A form is what a browser sends, not what it shows.
        if image not in IMAGES:
            raise ValueError(f"There is no image {image!r} to choose")
        return {"notebook": image}

    async def start(self):
        image = self.user_options.get("notebook")
        if image in IMAGES:
            self.image = image
        return await super().start()


c = get_config()
c.JupyterHub.spawner_class = ImageFormSpawner
c.ImageFormSpawner.remove = True
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_connect_ip = "172.17.0.1"
