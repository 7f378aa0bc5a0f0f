#!/usr/bin/env python3
"""pytorch.py: a trainer for actsearch in PyTorch, to use and to change.

    actsearch run FILE.ini --trainer 'scripts/trainers/pytorch.py' --trainer-name pytorch
    actsearch-worker ENDPOINT --key FILE --trainer 'CUDA_VISIBLE_DEVICES=$ACTSEARCH_SLOT scripts/trainers/pytorch.py' --trainer-name pytorch

Trains the default network (model = cnn, or mlp) with the settings of [child] on IDX files (MNIST, Fashion-MNIST): from the folder
$ACTSEARCH_IDX, whatever data = says then, or with data = fashion-mnist from where the Debian package dataset-fashion-mnist has them. One line of JSON comes in, lines of JSON go out;
docs/trainers.md says which. Only those lines may go to standard output: anything for people goes to standard error.
"""
import gzip
import json
import math
import os
import signal
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

FOLDERS = {"fashion-mnist": "/usr/share/datasets/fashion-mnist"}
EVALUATION_BATCH = 500
STATISTICS_IMAGES = 2048  # the batch norm's statistics are taken afresh over so many before the evaluation


def say(**line):
    """A line to the worker. JSON has no NaN: null stands for it."""
    for key, value in line.items():
        if isinstance(value, float) and not math.isfinite(value):
            line[key] = None
    print(json.dumps(line), flush=True)


def folder_of(data):
    folder = os.environ.get("ACTSEARCH_IDX") or FOLDERS.get(data)
    return folder or sys.exit(f"where is {data}? set ACTSEARCH_IDX to the folder of its IDX files")


def idx(folder, stem):
    for path, opener in ((os.path.join(folder, stem + ".gz"), gzip.open), (os.path.join(folder, stem), open)):
        if os.path.exists(path):
            with opener(path, "rb") as file:
                data = file.read()
            shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
            return torch.from_numpy(numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * data[3]).reshape(shape).copy())
    sys.exit(f"there is no {stem} in {folder}: set ACTSEARCH_IDX to the folder of the IDX files")


def load(data, validation):
    """Images (N x 1 x H x W), normalised by the training part, and labels; the last `validation` are held out."""
    folder = folder_of(data)
    images, labels = idx(folder, "train-images-idx3-ubyte").float().unsqueeze(1), idx(folder, "train-labels-idx1-ubyte").long()
    part = images[: len(labels) - validation]
    return (images - part.mean()) / part.std(unbiased=False), labels


def augmented(images):
    """Each image moved by up to 4 pixels, and every other one turned left to right."""
    height, width = images.shape[2:]
    padded = functional.pad(images, (4, 4, 4, 4))
    moves = torch.randint(0, 9, (len(images), 2)).tolist()
    moved = torch.stack([padded[i, :, y : y + height, x : x + width] for i, (y, x) in enumerate(moves)])
    turned = torch.rand(len(images)) < 0.5
    return torch.where(turned.view(-1, 1, 1, 1), moved.flip(3), moved)


class Average(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def build(model, activation, image, classes):
    """The network; `activation` makes the function for a layer of so many channels."""
    channels, height, width = image
    if model == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(channels * height * width, 128), activation(128), nn.Linear(128, 128), activation(128),
            nn.Linear(128, classes))
    if model != "cnn":
        sys.exit(f"this trainer knows the models cnn and mlp, not {model}")
    layers = []
    for outputs, stride in ((16, 2), (16, 1), (32, 2), (32, 1)):
        layers += [nn.Conv2d(channels, outputs, 3, stride, padding=1, bias=False),
                   nn.BatchNorm2d(outputs, momentum=None), activation(outputs)]
        channels = outputs
    return nn.Sequential(*layers, Average(), nn.Linear(channels, classes))


def initialise(net):
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def share_of_lr(job, step):
    if step < job["warmup"]:
        return (step + 1) / job["warmup"]
    done = step / job["steps"]
    if job["schedule"] == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    if job["schedule"] == "step":
        return 1 if done < 0.5 else 0.1 if done < 0.75 else 0.01
    return 1


def parameters_of(net, activation):
    """The parameters, and those of the activation function: its b, trained without weight decay."""
    betas = [p for module in net.modules() if isinstance(module, activation) for p in module.parameters()]
    known = set(map(id, betas))
    return [p for p in net.parameters() if id(p) not in known], betas


def evaluate(net, images, labels, validation, device):
    count = len(labels) - validation
    correct, loss = 0, 0.0
    with torch.no_grad():
        net.train()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
        for at in range(0, min(count, STATISTICS_IMAGES), 128):
            net(images[at : min(at + 128, count)].to(device))
        net.eval()
        for at in range(count, len(labels), EVALUATION_BATCH):
            logits = net(images[at : at + EVALUATION_BATCH].to(device))
            target = labels[at : at + EVALUATION_BATCH].to(device)
            correct += int((logits.argmax(1) == target).sum())
            loss += float(functional.cross_entropy(logits, target, reduction="sum"))
    return correct, loss / validation


def train(job):
    names = {}
    exec(job["pytorch"], names)  # the function as code, made by our own worker: class Activation
    own = names["Activation"]
    activation = own if job["b"] else lambda channels: own()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(job["seed"])
    images, labels = load(job["data"], job["validation"])
    count = len(labels) - job["validation"]
    net = build(job["model"], activation, images.shape[1:], int(labels.max()) + 1)
    initialise(net)
    net.to(device)
    weights, betas = parameters_of(net, own)
    beta_lr = job["lr"] if job["beta_lr"] < 0 else job["beta_lr"]
    groups = [{"params": weights, "weight_decay": job["weight_decay"], "top": job["lr"]}]
    if betas:
        groups.append({"params": betas, "weight_decay": job["beta_weight_decay"], "top": beta_lr})
    optimiser = torch.optim.SGD(groups, lr=job["lr"], momentum=job["momentum"], nesterov=job["momentum"] > 0)
    order, at = torch.randperm(count), 0
    for step in range(job["steps"]):
        if at + job["batch"] > count:
            order, at = torch.randperm(count), 0
        chosen = order[at : at + job["batch"]]
        at += job["batch"]
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * share_of_lr(job, step)
        optimiser.zero_grad()
        batch = augmented(images[chosen]) if job["augment"] else images[chosen]
        loss = functional.cross_entropy(net(batch.to(device)), labels[chosen].to(device))
        loss.backward()
        if not math.isfinite(loss.item()):
            return say(diverged=True, step=step + 1)
        optimiser.step()
        say(step=step + 1, loss=loss.item())
    correct, validation_loss = evaluate(net, images, labels, job["validation"], device)
    say(step=job["steps"], correct=correct, count=job["validation"], validation_loss=validation_loss, loss=loss.item(),
        parameters=sum(p.numel() for p in weights), betas=sum(p.numel() for p in betas))


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))  # the training is handed back: nothing to save here
    torch.set_num_threads(1)  # one slot, one core
    line = sys.stdin.readline()
    if not line:
        sys.exit(__doc__)
    train(json.loads(line))


if __name__ == "__main__":
    main()
