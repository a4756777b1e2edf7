"""The targets, each in a file of its name."""

NAMES = ("photo", "photo_set", "labels", "report_import", "upload", "rest", "predict", "reply", "model_file")
