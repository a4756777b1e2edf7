"""Models that lie elsewhere: fetched from S3, Google Cloud Storage, a web server or a registry of images.

A model is fetched into a hidden folder beside the versions, checked there, and renamed into its place: a
server that watches the folder never sees half a model.
"""
