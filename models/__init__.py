"""Where a servable comes from: the models that have a name, converting, and a look into a SavedModel.

Stands apart from the rest: what is made here meets `serving/` only as a SavedModel
folder, `<base>/<version>/`.
"""
