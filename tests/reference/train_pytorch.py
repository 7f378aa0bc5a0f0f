#!/usr/bin/env python3
"""train_pytorch.py: `actsearch train` in PyTorch, to compare accuracies (not bits: the numbers drawn differ).

    train_pytorch.py --model cnn --data DIR --activation 'x*sigmoid(b*x)' --steps 100 --seeds 5

DIR has the published files, IDX (plain or .gz) or CIFAR-10 or CIFAR-100 binary. Prints one line per seed, and the mean.

The settings are the defaults of the section [child]: He normal (fan-in), last bias 0, batch norm with eps 1e-5, batch 128,
lr = 0.1 * (1 + cos(pi t / T)) / 2, Nesterov momentum 0.9, weight decay 5e-4 on all but beta, no augmentation, the last 5,000
training records for validation, inputs normalised per channel by the training part. Before the evaluation the statistics of the
batch norm are taken afresh over the first 2,048 training images.
"""
import argparse
import gzip
import math
import os
import statistics
import time

from reference_net import F, build, is_beta, np, torch


def idx(directory, stem):
    for name in (stem, stem + ".gz"):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with (gzip.open if name.endswith(".gz") else open)(path, "rb") as file:
                data = file.read()
            dimensions = data[3]
            shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(dimensions)]
            return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    return None


def cifar(directory, names, labels):
    records = [np.fromfile(os.path.join(directory, name), np.uint8).reshape(-1, labels + 3072) for name in names]
    records = np.concatenate(records)
    return records[:, labels:].reshape(-1, 3, 32, 32), records[:, labels - 1]


def load(directory):
    """Images N x C x H x W and labels of the training files, as bytes."""
    images = idx(directory, "train-images-idx3-ubyte")
    if images is not None:
        return images[:, None], idx(directory, "train-labels-idx1-ubyte")
    if os.path.exists(os.path.join(directory, "data_batch_1.bin")):
        return cifar(directory, [f"data_batch_{i}.bin" for i in range(1, 6)], 1)
    return cifar(directory, ["train.bin"], 2)


def initialise(net):
    for module in net.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)


def train(options, images, labels, seed):
    torch.manual_seed(seed)
    count = len(labels) - options.validation
    net = build(options.model, images.shape[1:], int(labels.max()) + 1, options.activation)
    initialise(net)
    net.train()
    named = list(net.named_parameters())
    optimiser = torch.optim.SGD(
        [{"params": [p for name, p in named if not is_beta(name)], "weight_decay": 5e-4},
         {"params": [p for name, p in named if is_beta(name)] or [torch.nn.Parameter(torch.zeros(1))], "weight_decay": 0.0}],
        lr=0.1, momentum=0.9, nesterov=True)
    order, at = torch.randperm(count), 0
    start = time.time()
    for step in range(options.steps):
        if count - at < options.batch:
            order, at = torch.randperm(count), 0
        chosen = order[at:at + options.batch]
        at += options.batch
        for group in optimiser.param_groups:
            group["lr"] = 0.1 * 0.5 * (1 + math.cos(math.pi * step / options.steps))
        optimiser.zero_grad()
        loss = F.cross_entropy(net(images[chosen]), labels[chosen])
        loss.backward()
        optimiser.step()
    seconds = time.time() - start
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()
        for first in range(0, min(count, 2048), 128):
            net(images[first:min(first + 128, count)])
        net.eval()
        correct, total = 0, 0.0
        for first in range(count, len(labels), 500):
            logits = net(images[first:first + 500])
            correct += int((logits.argmax(1) == labels[first:first + 500]).sum())
            total += float(F.cross_entropy(logits, labels[first:first + 500], reduction="sum"))
    return correct / options.validation, total / options.validation, options.steps * options.batch / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--data", required=True, metavar="DIR")
    parser.add_argument("--activation", required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--validation", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images, labels = load(options.data)
    images = torch.from_numpy(images.astype(np.float32))
    part = images[:len(labels) - options.validation]
    mean, deviation = part.mean((0, 2, 3), keepdim=True), part.std((0, 2, 3), unbiased=False, keepdim=True)
    images = (images - mean) / deviation
    labels = torch.from_numpy(labels.astype(np.int64))
    accuracies = []
    for seed in range(1, options.seeds + 1):
        accuracy, loss, speed = train(options, images, labels, seed)
        accuracies.append(100 * accuracy)
        print(f"seed {seed}  accuracy {100 * accuracy:.2f} %  loss {loss:.4f}  {speed:.0f} images/s", flush=True)
    deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    print(f"{options.activation}: mean {statistics.mean(accuracies):.2f} %, deviation {deviation:.2f}, {len(accuracies)} seeds")


if __name__ == "__main__":
    main()
