# SPDX-License-Identifier: BSD-3-Clause
"""A small Keras model of fastconv's layers, trained by several processes: tf.distribute.MultiWorkerMirroredStrategy.

    python examples/keras_distributed.py --local 2

On several machines, start it once on each, with the TF_CONFIG that TensorFlow's documentation describes. --local sets
it for processes on this one. Every worker takes its share of every batch, and their gradients are added: the losses are
those of one worker. Keras 3's own `fit` does not take batches that are spread over workers, hence the loop.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

BATCH = 64


def batches(seed: int) -> Any:
    """Digits of 16 x 16 pixels in whole batches, the same in all workers."""
    import numpy as np
    import tensorflow as tf
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x.reshape(-1, 8, 8).repeat(2, axis=1).repeat(2, axis=2) / 16).astype(np.float32)[..., None]
    order = np.random.default_rng(seed).permutation(len(x))
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    data = tf.data.Dataset.from_tensor_slices((x[order], y[order])).batch(BATCH, drop_remainder=True)
    return data.repeat().with_options(options)


def train(steps: int, seed: int = 0) -> dict[str, Any]:
    """Losses of the whole batches, and a sum of the weights that tells workers apart."""
    import tensorflow as tf

    options = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation.RING
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)  # before any other operation

    import keras

    import fastconv.tensorflow as fct

    keras.utils.set_random_seed(seed)
    with strategy.scope():
        model = keras.Sequential(
            [
                keras.Input((16, 16, 1)),
                fct.Conv2D(6, 5, padding="same", activation="relu"),
                fct.MaxPooling2D(2),
                fct.Conv2D(16, 5, padding="same", activation="relu"),
                fct.MaxPooling2D(2),
                keras.layers.Flatten(),
                keras.layers.Dense(10),
            ]
        )
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(model.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(loss_of(y, model(x, training=True))) / BATCH
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    @tf.function
    def on_all(x: Any, y: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(step, args=(x, y)), axis=None)

    spread = iter(strategy.experimental_distribute_dataset(batches(seed)))
    losses = [float(on_all(*next(spread))) for _ in range(steps)]
    total = sum(float(tf.reduce_sum(tf.abs(variable))) for variable in model.trainable_variables)
    return {"workers": strategy.num_replicas_in_sync, "losses": losses, "weights": total}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_locally(workers: int, arguments: list[str]) -> int:
    """Start this script once for each worker and wait for them."""
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(workers)]}
    started = []
    for index in range(workers):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        environment = {**os.environ, "TF_CONFIG": config}
        started.append(subprocess.Popen([sys.executable, __file__, *arguments], env=environment))
    return max(abs(worker.wait()) for worker in started)


def main() -> None:
    """Train, or start those who do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--local", type=int, metavar="WORKERS", help="start so many on this machine")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--json", type=Path, help="write the result here; {} in the name becomes the worker's number")
    chosen = parser.parse_args()
    if chosen.local:
        passed = ["--steps", str(chosen.steps), *(["--json", str(chosen.json)] if chosen.json else [])]
        sys.exit(start_locally(chosen.local, passed))
    result = train(chosen.steps)
    index = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0)
    print(f"worker {index} of {result['workers']}: loss {result['losses'][0]:.3f} to {result['losses'][-1]:.3f}")
    if chosen.json:
        Path(str(chosen.json).format(index)).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
