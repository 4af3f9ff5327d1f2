"""Exports the trained detector: `python -m train.export --state FILE`.

Writes `detector/detector.onnx`, `detector/classes.txt` and `detector/reference/{input,output}.npz`
(what PyTorch itself answers for a few validation pictures).
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch

from letterbox import SIDE, as_input, letterbox
from scenes.actors import CLASSES

from .network import Decoded, Detector

HERE = Path(__file__).resolve().parent.parent
REFERENCES = 3


def load(state: Path) -> Decoded:
    model = Detector(len(CLASSES))
    model.load_state_dict(torch.load(state, weights_only=True))
    return Decoded(model.eval(), SIDE, SIDE).eval()


def reference_inputs(folder: Path) -> np.ndarray:
    """The first validation pictures as one `[REFERENCES, 3, SIDE, SIDE]` array."""
    files = sorted(folder.glob("*.jpg"))[:REFERENCES]
    return np.concatenate([as_input(letterbox(cv2.imread(str(f)))[0]) for f in files])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load(options.state)
    target = HERE / "detector"
    (target / "reference").mkdir(parents=True, exist_ok=True)
    path = target / "detector.onnx"
    torch.onnx.export(
        model, (torch.zeros(1, 3, SIDE, SIDE),), str(path), input_names=["images"],
        output_names=["output0"], opset_version=17, dynamo=False,
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)
    (target / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    images = reference_inputs(HERE / "pictures" / "validation")
    with torch.no_grad():
        answers = np.concatenate([model(torch.from_numpy(i[None])).numpy() for i in images])
    np.savez_compressed(target / "reference" / "input.npz", images=images)
    np.savez_compressed(target / "reference" / "output.npz", output0=answers)


if __name__ == "__main__":
    main()
