# SPDX-License-Identifier: BSD-3-Clause
"""Train a LeNet on scikit-learn's handwritten digits with fastconv's Keras layers, or with Keras's own.

    python examples/keras_digits.py [--backend fastconv|tensorflow] [--epochs 40] [--seed 0] [--json FILE]

Both backends begin with the same weights and see the same batches, so that their losses can be compared step by step.
The trained model is saved, loaded in a new process, and asked again for its predictions there. Needs scikit-learn.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastconv.tensorflow

BATCH = 32
EPOCHS = 40
DECAY_STEPS = EPOCHS * 45  # 1437 images

BACKENDS: dict[str, Any] = {"fastconv": fastconv.tensorflow, "tensorflow": keras.layers}

RELOAD = """
import sys
import keras
import numpy as np
import fastconv.tensorflow

model = keras.models.load_model(sys.argv[1] + "/lenet.keras")
np.save(sys.argv[1] + "/again.npy", model.predict(np.load(sys.argv[1] + "/images.npy"), verbose=0))
"""


def digits(seed: int) -> list[np.ndarray]:
    """Give train images, test images, train labels and test labels; images are (N, 16, 16, 1), from 0 to 1."""
    images, labels = load_digits(return_X_y=True)
    doubled = images.reshape(-1, 8, 8).repeat(2, axis=1).repeat(2, axis=2) / 16
    return train_test_split(
        doubled[..., None].astype(np.float32), labels, test_size=0.2, random_state=seed, stratify=labels
    )


def lenet(layers: Any) -> keras.Sequential:
    """Make LeNet for 16 x 16 images, of Keras's or of fastconv's layers."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(6, 5, padding="same", activation="relu", name="conv1"),
            layers.AveragePooling2D(2, name="pool1"),
            layers.Conv2D(16, 5, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(120, activation="relu", name="dense1"),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(84, activation="relu", name="dense2"),
            keras.layers.Dense(10, name="dense3"),
        ]
    )


class StepLosses(keras.callbacks.Callback):
    """Collect the loss of every batch by itself: Keras's log is the mean of the epoch so far."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._total = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Begin a new mean."""
        self._total = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Undo the mean."""
        total = float((logs or {})["loss"]) * (batch + 1)
        self.losses.append(total - self._total)
        self._total = total


def predicted_again(model: keras.Model, images: np.ndarray) -> bool:
    """Save the model, load it in a new process, and tell whether it predicts the same there, bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "lenet.keras")
        np.save(Path(folder) / "images.npy", images)
        subprocess.run([sys.executable, "-c", RELOAD, folder], check=True, capture_output=True)
        return bool((np.load(Path(folder) / "again.npy") == model.predict(images, verbose=0)).all())


def train(backend: str, epochs: int, seed: int, verbose: int = 1) -> dict[str, Any]:
    """Train, test, save and reload; give the losses of all steps, the accuracy and the time."""
    keras.utils.set_random_seed(seed)
    train_x, test_x, train_y, test_y = digits(seed)
    model = lenet(BACKENDS[backend])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, DECAY_STEPS)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=False)
    steps = StepLosses()
    start = time.perf_counter()
    model.fit(train_x, train_y, batch_size=BATCH, epochs=epochs, verbose=verbose, callbacks=[steps])
    seconds = time.perf_counter() - start
    accuracy = model.evaluate(test_x, test_y, verbose=0)[1]
    same = predicted_again(model, test_x)
    return {"backend": backend, "losses": steps.losses, "accuracy": accuracy, "seconds": seconds, "reloaded": same}


def main() -> None:
    """Read the command line, train, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backend", choices=BACKENDS, default="fastconv")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the losses and the accuracy here")
    chosen = parser.parse_args()
    result = train(chosen.backend, chosen.epochs, chosen.seed)
    print(f"{chosen.backend}: test accuracy {result['accuracy']:.2%} after {result['seconds']:.1f} s")
    print("loaded in a new process, the model predicts " + ("the same" if result["reloaded"] else "something else"))
    if chosen.json:
        chosen.json.write_text(json.dumps(result))
    if not result["reloaded"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
