"""Values and slopes of exported Python code against those of the trainer.

usage: export_check.py pytorch|jax|tensorflow CASES FOLDER    (FOLDER/fN.py holds function number N under the name fN)

JAX and TensorFlow need not be here: PyTorch's functions stand in for theirs under their names, so that the code's
arithmetic runs and is differentiated; where TensorFlow's slope differs (maximum and minimum at a tie) so does the stand-in.
Prints each wrong point, and at the end how many points were compared.
"""
import importlib
import sys
import types

import torch


class TensorflowMaximum(torch.autograd.Function):
    """At a tie the first operand gets the whole slope, as TensorFlow has it."""

    @staticmethod
    def forward(context, a, b):
        context.save_for_backward(a, b)
        return torch.maximum(a, b)

    @staticmethod
    def backward(context, slope):
        a, b = context.saved_tensors
        first = a >= b
        zero = torch.zeros_like(slope)
        return (torch.where(first, slope, zero).sum_to_size(a.shape), torch.where(first, zero, slope).sum_to_size(b.shape))


def tensor(value):
    return value if isinstance(value, torch.Tensor) else torch.tensor(float(value), dtype=torch.float64)


def taking_numbers(function):
    return lambda *operands: function(*[tensor(operand) for operand in operands])


def namespace(**members):
    return types.SimpleNamespace(**members)


COMMON = {name: taking_numbers(getattr(torch, name)) for name in
          "abs sqrt log exp sin cos sinh cosh tanh erf sigmoid sign relu maximum minimum ones_like zeros_like where".split()}


def softplus(a):
    return torch.logaddexp(a, torch.zeros_like(a))


def stand_in_for_jax():
    numpy = types.ModuleType("jax.numpy")
    vars(numpy).update(COMMON, arcsinh=taking_numbers(torch.asinh), arctan=taking_numbers(torch.atan))
    jax = types.ModuleType("jax")
    jax.numpy = numpy
    jax.nn = namespace(sigmoid=COMMON["sigmoid"], softplus=taking_numbers(softplus), relu=COMMON["relu"])
    jax.scipy = namespace(special=namespace(erf=COMMON["erf"]))
    jax.lax = namespace(stop_gradient=torch.Tensor.detach)
    sys.modules.update({"jax": jax, "jax.numpy": numpy})


def stand_in_for_tensorflow():
    class Layer:
        def add_weight(self, name, shape, initializer):
            return torch.full(shape, initializer, dtype=torch.float64)

        def __call__(self, x):
            self.build(x.shape)
            return self.call(x)

    def maximum(a, b):
        return TensorflowMaximum.apply(tensor(a), tensor(b))

    def minimum(a, b):
        return -TensorflowMaximum.apply(-tensor(a), -tensor(b))

    tensorflow = types.ModuleType("tensorflow")
    vars(tensorflow).update(COMMON, asinh=taking_numbers(torch.asinh), atan=taking_numbers(torch.atan), maximum=maximum,
                            minimum=minimum, convert_to_tensor=tensor, cast=lambda a, dtype: tensor(a).to(dtype),
                            stop_gradient=torch.Tensor.detach)
    tensorflow.math = namespace(log=COMMON["log"], erf=COMMON["erf"], softplus=taking_numbers(softplus))
    tensorflow.nn = namespace(relu=COMMON["relu"])
    tensorflow.keras = namespace(layers=namespace(Layer=Layer), initializers=namespace(Constant=float))
    sys.modules["tensorflow"] = tensorflow


def function_of(target, number, betas):
    """The exported function number `number` as a function of x, with these β."""
    module = importlib.import_module(f"f{number}")
    if target == "pytorch":
        layer = getattr(module, f"F{number}")().double()
        for k, beta in enumerate(betas):
            getattr(layer, f"b{k}").data.fill_(beta)
        return layer
    function = getattr(module, f"f{number}")
    return lambda x: function(x, *[torch.tensor([beta], dtype=torch.float64) for beta in betas])


def layers_are_right(target, number, betas):
    """A parameter per channel, and as many values as x has: (N, C, H, W), for TensorFlow (N, H, W, C)."""
    module = importlib.import_module(f"f{number}")
    if target == "pytorch":
        layer, x = getattr(module, f"F{number}")(3), torch.randn(2, 3, 4, 5)
        return layer(x).shape == x.shape and all(getattr(layer, f"b{k}").shape == (3,) for k in range(betas))
    if target == "tensorflow":
        x = torch.randn(2, 4, 5, 3, dtype=torch.float64)
        layer = getattr(module, f"F{number}")()
        return layer(x).shape == x.shape and all(getattr(layer, f"b{k}").shape == (3,) for k in range(betas))
    return True


def wrong(got, expected):
    return not abs(got - expected) <= 1e-6 * (1 + abs(expected))


def main():
    target, cases, folder = sys.argv[1:]
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    {"pytorch": lambda: None, "jax": stand_in_for_jax, "tensorflow": stand_in_for_tensorflow}[target]()
    functions = {}
    compared = 0
    for line in open(cases, encoding="utf-8"):
        number, text, betas, x, f, df = line.rstrip("\n").split("\t")
        betas = [] if betas == "-" else [float(beta) for beta in betas.split(",")]
        if number not in functions:
            functions[number] = function_of(target, number, betas)
            if betas and not layers_are_right(target, number, len(betas)):
                print(f"{text}: the parameters of a layer have the wrong shape")
        at = torch.tensor([float(x)], dtype=torch.float64, requires_grad=True)
        value = functions[number](at)
        slope = torch.zeros(())
        if value.requires_grad:
            slope = torch.autograd.grad(value.sum(), at, allow_unused=True)[0]
            slope = torch.zeros(()) if slope is None else slope
        if value.shape != at.shape or wrong(value.item(), float(f)) or wrong(slope.item(), float(df)):
            print(f"{text} (β {betas}) at {x}: {value.tolist()} {slope.item()}, expected {f} {df}")
        compared += 1
    print(f"{compared} points")


main()
