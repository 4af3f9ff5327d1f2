"""The networks of the score: public architectures with seeded weights."""

from .classifiers import efficientnet_b0, mobilenet_v2, mobilenet_v3_small, resnet50
from .detectors import yolov5n, yolov8n
from .transformers import bert_small, deit_tiny

NETWORKS = {
    make.__name__: make for make in (
        resnet50, mobilenet_v2, yolov8n, yolov5n, efficientnet_b0, mobilenet_v3_small, deit_tiny,
        bert_small)
}
