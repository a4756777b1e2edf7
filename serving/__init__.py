"""The embedded model server: TensorFlow Serving's own gRPC and REST API over a SavedModel.

    gRPC and REST translate -> the service decides -> the servable computes

`service.py` is the brain behind both protocols, `grpc_api.py` and `rest_api.py` only
translate, `servable.py` is the only place that runs TensorFlow.
"""
