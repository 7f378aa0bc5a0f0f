#!/usr/bin/env python3
"""Values and derivatives of several hundred activation strings, by other means than common/expr.

    tests/reference/expr_reference.py > tests/golden/expr.txt

A parser of its own, 50-digit decimal arithmetic with series of its own, and derivatives by dual numbers. Each line:
expression, x, the betas, f, df/dx, df/dbetas; tab-separated, lists by commas, '-' for an empty one. A point is left out
where double precision cannot be expected to get it: where this very evaluation in doubles is off by 1e-11.
"""
import math
import random
import re
import sys
from decimal import Decimal, getcontext

getcontext().prec = 50
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")


# ---- functions of decimals ----

def series(term, ratio):
    """term + term*ratio(1) + term*ratio(1)*ratio(2) + ..."""
    total, k = Decimal(0), 0
    while abs(term) > Decimal(10) ** -60 and k < 2000:
        total += term
        k += 1
        term *= ratio(k)
    return total


def dec_sin(a):
    a = a % (2 * PI)
    return series(a, lambda k: -a * a / (2 * k * (2 * k + 1)))


def dec_atan(a):
    halvings = 0
    while abs(a) > Decimal("0.05"):
        a = a / (1 + (1 + a * a).sqrt())
        halvings += 1
    total, power, k = Decimal(0), a, 1
    while abs(power) > Decimal(10) ** -60:
        total += power / k
        power *= -a * a
        k += 2
    return total * 2 ** halvings


def dec_erf(a):
    if abs(a) > 11:
        return Decimal(1).copy_sign(a)
    getcontext().prec = 110  # the terms grow to e^(a*a) before they fall
    total, power, k = Decimal(0), a, 0
    while abs(power) > Decimal(10) ** -60:
        total += power / (2 * k + 1)
        k += 1
        power *= -a * a / k
    getcontext().prec = 50
    return total * 2 / PI.sqrt()


class Decimals:
    number = Decimal
    exp = staticmethod(lambda a: a.exp())
    log = staticmethod(lambda a: a.ln())
    sqrt = staticmethod(lambda a: a.sqrt())
    sin = staticmethod(dec_sin)
    cos = staticmethod(lambda a: dec_sin(a + PI / 2))
    sinh = staticmethod(lambda a: (a.exp() - (-a).exp()) / 2)
    cosh = staticmethod(lambda a: (a.exp() + (-a).exp()) / 2)
    asinh = staticmethod(lambda a: (abs(a) + (a * a + 1).sqrt()).ln().copy_sign(a))
    atan = staticmethod(dec_atan)
    erf = staticmethod(dec_erf)


class Doubles:
    number = float
    exp, log, sqrt, sin, cos = math.exp, math.log, math.sqrt, math.sin, math.cos
    sinh, cosh, asinh, atan, erf = math.sinh, math.cosh, math.asinh, math.atan, math.erf


# ---- dual numbers: a value and its derivatives by x, b0, b1, ... ----

class Dual:
    def __init__(self, value, slopes):
        self.value, self.slopes = value, slopes

    def chain(self, value, slope):
        return Dual(value, [slope * s for s in self.slopes])


def combine(a, b, value, slope_a, slope_b):
    return Dual(value, [slope_a * p + slope_b * q for p, q in zip(a.slopes, b.slopes)])


def sign(a):
    return (a > 0) - (a < 0)


def call(m, name, args):
    a, v = args[0], args[0].value
    one = m.number(1)
    if name in ("max", "min"):
        b, w = args[1], args[1].value
        share = m.number(1 + (sign(v - w) if name == "max" else sign(w - v))) / 2
        return combine(a, b, max(v, w) if name == "max" else min(v, w), share, one - share)
    if name == "abs":
        return a.chain(abs(v), m.number(sign(v)))
    if name == "sign":
        return a.chain(m.number(sign(v)), m.number(0))
    if name == "step":
        return a.chain(m.number(int(v > 0)), m.number(0))
    if name == "relu":
        return a.chain(max(v, m.number(0)), m.number(int(v > 0)))
    if name == "sqrt":
        root = m.sqrt(v)
        return a.chain(root, one / (2 * root))
    if name == "log":
        return a.chain(m.log(v), one / v)
    if name == "exp":
        return a.chain(m.exp(v), m.exp(v))
    if name == "sin":
        return a.chain(m.sin(v), m.cos(v))
    if name == "cos":
        return a.chain(m.cos(v), -m.sin(v))
    if name == "sinh":
        return a.chain(m.sinh(v), m.cosh(v))
    if name == "cosh":
        return a.chain(m.cosh(v), m.sinh(v))
    if name == "tanh":
        return a.chain(m.sinh(v) / m.cosh(v), one / (m.cosh(v) * m.cosh(v)))
    if name == "asinh":
        return a.chain(m.asinh(v), one / m.sqrt(v * v + 1))
    if name == "atan":
        return a.chain(m.atan(v), one / (v * v + 1))
    if name == "sinc":
        if v == 0:
            return a.chain(one, m.number(0))
        return a.chain(m.sin(v) / v, (m.cos(v) - m.sin(v) / v) / v)
    if name == "sigmoid":
        e = m.exp(-abs(v))
        return a.chain((one if v >= 0 else e) / (1 + e), e / ((1 + e) * (1 + e)))
    if name == "softplus":
        return a.chain(max(v, m.number(0)) + m.log(1 + m.exp(-abs(v))), one / (1 + m.exp(-v)))
    if name == "erf":
        return a.chain(m.erf(v), 2 / m.sqrt(m.number(PI)) * m.exp(-v * v))
    raise ValueError(name)


# ---- the language ----

class Reader:
    def __init__(self, m, text, x, betas):
        self.m, self.tokens, self.at = m, re.findall(r"\d+\.?\d*(?:[eE][+-]?\d+)?|[a-z]+\d*|\S", text), 0
        count = 1 + len(betas)
        self.leaves = {}
        for i, (name, value) in enumerate([("x", x)] + [("b%d" % k, b) for k, b in enumerate(betas)]):
            self.leaves[name] = Dual(m.number(value), [m.number(int(i == j)) for j in range(count)])
        if betas:
            self.leaves["b"] = self.leaves["b0"]
        self.zeros = [m.number(0)] * count

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def sum(self):
        a = self.product()
        while self.peek() in ("+", "-"):
            s = 1 if self.take() == "+" else -1
            b = self.product()
            a = combine(a, b, a.value + s * b.value, self.m.number(1), self.m.number(s))
        return a

    def product(self):
        a = self.unary()
        while self.peek() in ("*", "/"):
            op, b = self.take(), self.unary()
            if op == "*":
                a = combine(a, b, a.value * b.value, b.value, a.value)
            else:
                a = combine(a, b, a.value / b.value, 1 / b.value, -a.value / b.value / b.value)
        return a

    def unary(self):
        if self.peek() == "-":
            self.take()
            a = self.unary()
            return a.chain(-a.value, self.m.number(-1))
        a = self.atom()
        if self.peek() == "^":
            self.take()
            s = -1 if self.peek() == "-" else 1
            if s < 0:
                self.take()
            n = s * int(self.take())
            if n == 0:
                return a.chain(self.m.number(1), self.m.number(0))
            return a.chain(a.value ** n, n * a.value ** (n - 1) if n != 1 else self.m.number(1))
        return a

    def atom(self):
        token = self.take()
        if token == "(":
            a = self.sum()
            self.take()
            return a
        if token in self.leaves:
            return self.leaves[token]
        if token[0].isdigit():
            return Dual(self.m.number(token), self.zeros)
        self.take()
        args = [self.sum()]
        while self.take() == ",":
            args.append(self.sum())
        return call(self.m, token, args)


def evaluate(m, text, x, betas):
    root = Reader(m, text, x, betas).sum()
    return [root.value] + root.slopes


# ---- which functions, where ----

UNARY = ["x", "-x", "abs(x)", "x^2", "x^3", "sqrt(x)", "b*x", "x+b", "log(abs(x)+1e-6)", "exp(x)", "sin(x)", "cos(x)",
         "sinh(x)", "cosh(x)", "tanh(x)", "asinh(x)", "atan(x)", "sinc(x)", "max(x,0)", "min(x,0)", "sigmoid(x)",
         "log(1+exp(x))", "exp(-x^2)", "erf(x)", "b"]
BINARY = ["(p)+(q)", "(p)*(q)", "(p)-(q)", "(p)/((q)+1e-6)", "max(p,q)", "min(p,q)", "sigmoid(p)*(q)",
          "exp(-b9*((p)-(q))^2)", "exp(-b9*abs((p)-(q)))", "b9*(p)+(1-b9)*(q)"]
WRITTEN = ["relu(x)", "x*sigmoid(b*x)", "atan(x)^2-x", "max(x,tanh(x))", "sinc(x)+x", "cos(x)-x", "x*exp(-x^2)",
           "softplus(x)", "x*tanh(softplus(x))", "x*(1+erf(x/1.4142135623730951))/2", "step(x)*x", "sign(x)*sqrt(abs(x))",
           "-x^2", "(-x)^2", "--x", "2-3-x", "8/2/x", "x^-2", "-x^-1", "2*-x", "x^0", "1e-3*x", "1.5E2/x", "x-1-(x-2)",
           "b0*x+b1*x^2+b2", "b1-b0*x", "max(x,0)+b*min(x,0)", "x/(1+abs(x))", "x*relu(x+3)/6", "max(x,x)", "min(x,-x)",
           "max(0,x)*max(0,x)", "exp(exp(x))", "sin(x)/x", "sinh(x)/cosh(x)-tanh(x)+x", "log(x^2+1)", "erf(x)*erf(-x)",
           "asinh(10*x)", "atan(1/x)", "(x+1)^3*(x-1)^-2", "softplus(b*x)/b", "sigmoid(sigmoid(sigmoid(x)))"]
POINTS = ["-3.75", "-1.3", "-0.4375", "0.001", "0.8125", "1.6", "2.9"]
KINKS = {"relu(x)": ["0"], "max(x,0)": ["0"], "min(x,0)": ["0"], "abs(x)": ["0"], "sinc(x)": ["0"], "sign(x)*x": ["0"],
         "max(x,x)": ["0", "2"], "min(x,-x)": ["0"], "x^0": ["0"]}
BETAS = ["0.625", "-1.25", "1.75"]


def texts():
    yield from UNARY
    yield from WRITTEN
    draw = random.Random(1)
    for form in BINARY:
        for _ in range(25):
            p, q = draw.choice(UNARY), draw.choice(UNARY)
            p, q = re.sub(r"\bb\b", "b0", p), re.sub(r"\bb\b", "b1", q)
            yield renumbered(re.sub(r"\b[pq]\b", lambda found: p if found[0] == "p" else q, form))
    for _ in range(120):
        yield renumbered(random_text(draw, draw.randint(2, 7)))


def renumbered(text):
    """Parameters without gaps."""
    names = sorted(set(re.findall(r"\bb\d\b", text)))
    return re.sub(r"\bb\d\b", lambda found: "b%d" % names.index(found[0]), text)


def random_text(draw, size):
    if size <= 0:
        return draw.choice(["x", "x", "x", "b0", "b1", "2", "0.5", "3.25"])
    name = draw.choice("+-*/^~ abs sqrt log exp sin cos sinh cosh tanh asinh atan sinc sigmoid softplus erf relu max min"
                       .replace("+-*/^~", "+ - * / ^ ~").split())
    if name in "+-*/" or name in ("max", "min"):
        left = draw.randint(0, size - 1)
        a, b = random_text(draw, left), random_text(draw, size - 1 - left)
        return "%s(%s,%s)" % (name, a, b) if name in ("max", "min") else "(%s)%s(%s)" % (a, name, b)
    a = random_text(draw, size - 1)
    if name == "^":
        return "(%s)^%d" % (a, draw.choice([-2, -1, 2, 3]))
    return "-(%s)" % a if name == "~" else "%s(%s)" % (name, a)


def point(text, x, betas):
    """f and its derivatives as doubles, or None."""
    try:
        exact = evaluate(Decimals, text, x, betas)
        rough = evaluate(Doubles, text, float(x), [float(b) for b in betas])
    except (ArithmeticError, ValueError, OverflowError):
        return None
    for e, r in zip(exact, rough):
        if not math.isfinite(r) or abs(e) > 1e8 or abs(float(e) - r) > 1e-11 * (1 + abs(r)):
            return None
    return [float(e) for e in exact]


def main():
    seen = set()
    for text in texts():
        if text in seen:
            continue
        seen.add(text)
        count = max([-1] + [int(k or 0) for k in re.findall(r"\bb(\d?)\b", text)]) + 1
        betas = BETAS[:count]
        for x in KINKS.get(text, []) + POINTS:
            values = point(text, x, betas)
            if values:
                print(text, x, ",".join(betas) or "-", repr(values[0]), repr(values[1]),
                      ",".join(map(repr, values[2:])) or "-", sep="\t")


sys.exit(main())
