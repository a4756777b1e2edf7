"""Where a servable comes from: the models that have a name, converting, and a look into a SavedModel.

Imports no other package but `common/`. What is made here meets `serving/` only as files in a folder
`<base>/<version>/`.
"""
