"""Which cell answers for which object, and how wrong its answer is.

Cells are assigned by how well they already do: score and overlap together (Feng et al., "TOOD",
2021). Boxes are judged by complete IoU (Zheng et al., 2020) and by the likelihood of the true
distances (Li et al., 2020); scores by cross entropy against the assigned cell's alignment.
"""

import math

import torch
from torch.nn import functional

from .network import BINS, expected_distances

CANDIDATES = 10  # Cells per object.
SCORE_POWER, OVERLAP_POWER = 0.5, 6.0
BOX_WEIGHT, SCORE_WEIGHT, DISTRIBUTION_WEIGHT = 7.5, 0.5, 1.5


def overlap(a, b, complete=False):
    """IoU of boxes given as (left, top, right, bottom) in the last dimension; `complete` subtracts
    the penalties for distance and aspect."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    iou = shared / (size_a.prod(-1) + size_b.prod(-1) - shared + 1e-7)
    if not complete:
        return iou
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    angle_a = torch.atan(size_a[..., 0] / (size_a[..., 1] + 1e-7))
    angle_b = torch.atan(size_b[..., 0] / (size_b[..., 1] + 1e-7))
    aspect = (4 / math.pi**2) * (angle_a - angle_b) ** 2
    with torch.no_grad():
        trade = aspect / (1 - iou + aspect + 1e-7)
    return iou - apart / ((hull**2).sum(-1) + 1e-7) - trade * aspect


@torch.no_grad()
def assign(scores, boxes, centres, kinds, truth, valid):
    """Gives cells to objects.

    scores [N, A, C] (0...1), boxes [N, A, 4], centres [A, 2], kinds [N, M], truth [N, M, 4],
    valid [N, M]. Returns the object of each cell [N, A], whether it has one [N, A] and the score it
    should give [N, A].
    """
    batch, count, _ = scores.shape
    objects = truth.shape[1]
    inner = torch.cat([centres[None, None] - truth[:, :, None, :2],
                       truth[:, :, None, 2:] - centres[None, None]], -1).amin(-1) > 0
    inner &= valid[:, :, None]
    told = scores.transpose(1, 2).gather(1, kinds[:, :, None].expand(-1, -1, count))
    iou = overlap(truth[:, :, None], boxes[:, None]).clamp(min=0) * inner
    quality = told**SCORE_POWER * iou**OVERLAP_POWER * inner
    best = quality.topk(CANDIDATES, -1)
    chosen = torch.zeros_like(quality).scatter_(2, best.indices, (best.values > 1e-12).float())
    # A cell wanted by several objects goes to the one that it overlaps most.
    owner = torch.where(chosen > 0, iou + 1e-6, torch.zeros_like(iou)).argmax(1)
    positive = chosen.sum(1) > 0
    mine = functional.one_hot(owner, objects).transpose(1, 2) * positive[:, None]
    quality = quality * mine
    ratio = (iou * mine).amax(-1, keepdim=True) / (quality.amax(-1, keepdim=True) + 1e-9)
    return owner, positive, (quality * ratio).amax(1)


def detection_loss(raw, centres, strides, kinds, truth, valid):
    """The mean loss of a batch.

    raw [N, 4 * BINS + C, A]; centres [2, A] and strides [1, A] in pixels; the objects as in
    `assign`, boxes in pixels.
    """
    logits = raw[:, 4 * BINS:].transpose(1, 2)
    distances = expected_distances(raw[:, : 4 * BINS])
    near, far = distances.chunk(2, 1)
    cells = centres / strides
    boxes = torch.cat([cells - near, cells + far], 1).transpose(1, 2)
    length = strides[0][None, :, None]
    owner, positive, target = assign(
        logits.detach().sigmoid(), boxes.detach() * length, centres.T, kinds, truth, valid
    )
    wanted = functional.one_hot(kinds.gather(1, owner), logits.shape[2]) * target[..., None]
    total = target.sum().clamp(min=1)
    score_loss = functional.binary_cross_entropy_with_logits(
        logits, wanted.to(logits.dtype), reduction="sum") / total
    if not positive.any():
        return SCORE_WEIGHT * score_loss
    weight = target[positive]
    true_boxes = truth.gather(1, owner[..., None].expand(-1, -1, 4)) / length
    mine, theirs = boxes[positive], true_boxes[positive]
    box_loss = ((1 - overlap(mine, theirs, complete=True)) * weight).sum() / total
    grid = cells.T[None].expand(len(raw), -1, -1)[positive]
    sides = torch.cat([grid - theirs[:, :2], theirs[:, 2:] - grid], 1).clamp(0, BINS - 1.01)
    below = sides.long()
    upper = sides - below
    shares = raw[:, : 4 * BINS].transpose(1, 2)[positive].view(-1, 4, BINS).log_softmax(-1)
    likelihood = (shares.gather(2, below[..., None])[..., 0] * (1 - upper)
                  + shares.gather(2, below[..., None] + 1)[..., 0] * upper)
    distribution_loss = (-likelihood.mean(1) * weight).sum() / total
    return (BOX_WEIGHT * box_loss + SCORE_WEIGHT * score_loss
            + DISTRIBUTION_WEIGHT * distribution_loss)
