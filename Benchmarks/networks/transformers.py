"""Transformers, attention spelt out as exporters do."""

import math

import numpy as np
from onnx import TensorProto

from .builder import Network


def _attend(net, q, k, v, tokens, heads, width, mask=None):
    """q, k, v: [1, heads, tokens, width] → [1, tokens, heads · width]."""
    scores = net.node("MatMul", q, net.node("Transpose", k, perm=[0, 1, 3, 2]))
    if mask is not None:
        scores = net.node("Add", net.node("Div", scores, math.sqrt(width)), mask)
    context = net.node("MatMul", net.node("Softmax", scores, axis=-1), v)
    context = net.node("Transpose", context, perm=[0, 2, 1, 3])
    return net.node("Reshape", context, np.array([1, tokens, heads * width]))


def deit_tiny():
    """Touvron et al. 2020: [1, 3, 224, 224] → [1, 1000]."""
    net = Network("deit_tiny")
    width, heads, tokens = 192, 3, 197
    size = width // heads
    x = net.convolution(
        net.input("input", [1, 3, 224, 224]), 3, width, 16, 16, gain=1.0, pad=0)
    x = net.node("Reshape", x, np.array([1, width, tokens - 1]))
    x = net.node("Transpose", x, perm=[0, 2, 1])
    x = net.node("Concat", net.weight((1, 1, width), 0.02), x, axis=1)
    x = net.node("Add", x, net.weight((1, tokens, width), 0.02))
    for _ in range(12):
        y = net.linear(net.layer_normalization(x, width, 1e-6), width, 3 * width)
        y = net.node("Reshape", y, np.array([1, tokens, 3, heads, size]))
        y = net.node("Transpose", y, perm=[2, 0, 3, 1, 4])
        parts = net.node("Split", y, np.array([1, 1, 1]), outputs=3, axis=0)
        q, k, v = (net.node("Squeeze", part, np.array([0])) for part in parts)
        y = _attend(net, net.node("Mul", q, 1 / math.sqrt(size)), k, v, tokens, heads, size)
        x = net.node("Add", x, net.linear(y, width, width, gain=0.3))
        y = net.linear(net.layer_normalization(x, width, 1e-6), width, 4 * width)
        x = net.node("Add", x, net.linear(net.gelu(y), 4 * width, width, gain=0.6))
    x = net.node("Gather", net.layer_normalization(x, width, 1e-6), np.array(0), axis=1)
    net.output(net.classifier(x, width, 1000), "output", [1, 1000])
    return net.model()


def bert_small():
    """Devlin et al. 2018, 4 layers of 512: tokens and mask [1, 128] → states [1, 128, 512]."""
    net = Network("bert_small")
    width, heads, tokens = 512, 8, 128
    size = width // heads
    ids = net.input("input_ids", [1, tokens], TensorProto.INT64)
    mask = net.input("attention_mask", [1, tokens], TensorProto.INT64)
    x = net.node("Gather", net.weight((30522, width), 0.04), ids)
    x = net.node("Add", x, net.weight((1, tokens, width), 0.04))
    x = net.layer_normalization(x, width, 1e-12)
    mask = net.node("Cast", net.node("Unsqueeze", mask, np.array([1, 2])), to=TensorProto.FLOAT)
    mask = net.node("Mul", net.node("Sub", 1.0, mask), -10000.0)

    def head(value):
        split = net.node("Reshape", value, np.array([1, tokens, heads, size]))
        return net.node("Transpose", split, perm=[0, 2, 1, 3])

    for _ in range(4):
        q, k, v = (head(net.linear(x, width, width)) for _ in range(3))
        y = net.linear(_attend(net, q, k, v, tokens, heads, size, mask), width, width)
        x = net.layer_normalization(net.node("Add", y, x), width, 1e-12)
        y = net.linear(net.gelu(net.linear(x, width, 4 * width)), 4 * width, width, gain=2.0)
        x = net.layer_normalization(net.node("Add", y, x), width, 1e-12)
    net.output(x, "last_hidden_state", [1, tokens, width])
    first = net.node("Gather", x, np.array(0), axis=1)
    net.output(net.node("Tanh", net.classifier(first, width, width)), "pooled", [1, width])
    return net.model()
