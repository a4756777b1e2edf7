"""Which folders the wheel holds, and where: all but the commands in `pixelcost/_app` (pixelcost/__init__.py).

Everything else about the package is in pyproject.toml.
"""

from setuptools import find_namespace_packages, setup

PACKAGES = (
    *("common", "experiment", "gateway", "httpserver", "jobs"),
    *("loadtest", "models", "serving", "webapp"),
)
FILES = ("static", "templates")  # which are found beside the packages, as in a checkout
BELOW = "pixelcost._app"

folders = PACKAGES + FILES
inside = [
    f"{folder}.{name}"
    for folder in folders
    for name in find_namespace_packages(folder, exclude=["__pycache__", "*.__pycache__"])
]

setup(
    package_dir={f"{BELOW}.{folder}": folder for folder in folders},
    packages=["pixelcost", *(f"{BELOW}.{name}" for name in (*folders, *inside))],
    package_data={"": ["*"]},
    exclude_package_data={"": ["*.pyc"]},
)
