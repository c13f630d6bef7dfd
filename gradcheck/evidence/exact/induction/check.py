"""Check certificates of proofs for every T, by exact arithmetic alone.

Run it as a program:

    python check.py certificate.json ...

It needs Python's standard library and nothing of gradcheck. A certificate states, as polynomials over Q, a network's
forward equations, and what an online rule makes of its state in one period of steps. Checked is, with derivatives that
are worked out here from the forward equations, that the sum of the rule's contributions is the gradient for every T:

    a(t) = F(theta, a(t-1), x(t)),  M(t) = dF/da M(t-1) + dF/dtheta,  u = r(theta, a(t))
    g_t = w dL/du (dr/dtheta + dr/da M(t))                                  the contribution of the loss at t
    base: c_t + f(t) - f(t-1) = g_t for t <= t0, f(0) = 0, and the state after t0 steps is as identified
    step: the same from any a and M, for one period, after which the state is as identified again

Functions without a law here are undefined: f' is the derivative of f, and e1, e2, ... are those of the loss L1 by u.
It cannot check that the rule computes the polynomials that the certificate ascribes to it. Exit status: 0 all hold, 1
one does not, 2 a file cannot be read.
"""

from __future__ import annotations

import json
import re
import sys
from fractions import Fraction
from typing import Any, NoReturn

Polynomial = dict[tuple[tuple[int, int], ...], Fraction]
"""Monomial, as sorted pairs of a generator and its exponent, to its coefficient; zeros are left out."""
Vector = list[Polynomial]
FORMAT = 1
LARGEST = 4_000_000
"""Terms of a product beyond which a certificate is refused."""


class Rejected(Exception):
    """A certificate does not prove what it states."""


def reject(reason: str) -> NoReturn:
    """Raise `Rejected`."""
    raise Rejected(reason)


# Polynomials.


def constant(number: Fraction | int) -> Polynomial:
    """Return a constant."""
    return {(): Fraction(number)} if number else {}


def add(a: Polynomial, b: Polynomial, factor: int = 1) -> Polynomial:
    """Return a + factor b."""
    if not b:
        return a
    total = dict(a)
    for monomial, coefficient in b.items():
        value = total.get(monomial, 0) + factor * coefficient
        if value:
            total[monomial] = Fraction(value)
        else:
            total.pop(monomial, None)
    return total


def multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    """Return a b."""
    if len(a) * len(b) > LARGEST:
        reject("a product has too many terms to check")
    total: Polynomial = {}
    for one, p in a.items():
        for other, q in b.items():
            monomial = _joined(one, other)
            total[monomial] = total.get(monomial, Fraction(0)) + p * q
    return {monomial: value for monomial, value in total.items() if value}


def _joined(one: tuple[tuple[int, int], ...], other: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    if not one or not other:
        return one or other
    powers = dict(one)
    for generator, exponent in other:
        powers[generator] = powers.get(generator, 0) + exponent
    return tuple(sorted(powers.items()))


def power(a: Polynomial, n: int) -> Polynomial:
    """Return a to the power n."""
    result = constant(1)
    for _ in range(n):
        result = multiply(result, a)
    return result


class Ring:
    """Generators: numbers of their own, and values of functions, one for each function and arguments."""

    def __init__(self) -> None:
        self.keys: list[tuple[Any, ...]] = []
        self.arguments: list[tuple[Polynomial, ...]] = []
        self._numbers: dict[tuple[Any, ...], int] = {}

    def symbol(self, *key: Any) -> Polynomial:
        """Return the generator of that key."""
        return {((self._number(key, ()), 1),): Fraction(1)}

    def _number(self, key: tuple[Any, ...], arguments: tuple[Polynomial, ...]) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self.keys)
            self.keys.append(key)
            self.arguments.append(arguments)
        return self._numbers[key]

    def apply(self, name: str, arguments: tuple[Polynomial, ...]) -> Polynomial:
        """Return a function of polynomials, in the form that is the same for all equal by its laws."""
        if len(arguments) == 1 and name in AT_ZERO and not arguments[0]:
            return constant(AT_ZERO[name])
        if len(arguments) == 1 and name in MIRRORED and self._leading(arguments[0]) < 0:
            return MIRRORED[name](self.apply(name, (add({}, arguments[0], -1),)), arguments[0])
        key = ("function", name, tuple(frozenset(argument.items()) for argument in arguments))
        return {((self._number(key, arguments), 1),): Fraction(1)}

    @staticmethod
    def _leading(value: Polynomial) -> Fraction:
        return value[min(value)] if value else Fraction(0)

    def derivative(self, value: Polynomial, seeds: dict[int, Polynomial]) -> Polynomial:
        """Return the derivative of a polynomial along those of its generators; one without a seed is constant."""
        total: Polynomial = {}
        known: dict[int, Polynomial] = {}
        for monomial, coefficient in value.items():
            for generator, exponent in monomial:
                if generator not in known:
                    known[generator] = self._along(generator, seeds)
                if not known[generator]:
                    continue
                lower = tuple((g, e - (g == generator)) for g, e in monomial if (g, e) != (generator, 1))
                total = add(total, multiply({lower: coefficient * exponent}, known[generator]))
        return total

    def _along(self, generator: int, seeds: dict[int, Polynomial]) -> Polynomial:
        if self.keys[generator][0] != "function":
            return seeds.get(generator, {})
        name, arguments = self.keys[generator][1], self.arguments[generator]
        moved = [self.derivative(argument, seeds) for argument in arguments]
        if not any(moved):
            return {}
        total: Polynomial = {}
        for place, each in enumerate(moved):
            if each:
                total = add(total, multiply(self._slope(generator, name, arguments, place), each))
        return total

    def _slope(self, generator: int, name: str, arguments: tuple[Polynomial, ...], place: int) -> Polynomial:
        """Return the derivative of a function by one of its arguments."""
        value: Polynomial = {((generator, 1),): Fraction(1)}
        if name == "f":
            return self.apply("f'", arguments)
        if name == "tanh":
            return add(constant(1), multiply(value, value), -1)
        if name == "logistic":
            return add(value, multiply(value, value), -1)
        if name == "exp":
            return value
        if name == "softplus":
            return self.apply("logistic", arguments)
        if name == "heaviside":
            return {}
        if name == "L1":
            if place >= len(arguments) // 2:
                reject("the loss is differentiated by a target")
            return self.apply(f"e{place + 1}", arguments)
        if name.startswith("softmax") and name[7:].isdigit():
            shares = [self.apply(f"softmax{k + 1}", arguments) for k in range(len(arguments) - 1)]
            last = constant(1)
            for share in shares:
                last = add(last, share, -1)
            own = constant(int(place == int(name[7:]) - 1))
            return multiply(value, add(own, [*shares, last][place], -1))
        return reject(f"the derivative of {name} is not known here")

    def substituted(self, value: Polynomial, by: dict[int, Polynomial], kept: dict[int, Polynomial]) -> Polynomial:
        """Return a polynomial with other polynomials in place of generators, those in functions too.

        Args:
            value: The polynomial.
            by: The polynomial for each generator that is no function; one that is missing is refused.
            kept: What functions became so far.
        """
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            term: Polynomial = {(): coefficient}
            for generator, exponent in monomial:
                term = multiply(term, power(self._replaced(generator, by, kept), exponent))
            for one, factor in term.items():
                total[one] = total.get(one, Fraction(0)) + factor
        return {one: factor for one, factor in total.items() if factor}

    def _replaced(self, generator: int, by: dict[int, Polynomial], kept: dict[int, Polynomial]) -> Polynomial:
        key = self.keys[generator]
        if key[0] != "function":
            return by[generator] if generator in by else reject(f"it uses {key}, which does not exist there")
        if generator not in kept:
            arguments = tuple(self.substituted(each, by, kept) for each in self.arguments[generator])
            kept[generator] = self.apply(key[1], arguments)
        return kept[generator]

    def kinds(self, values: Vector) -> set[str]:
        """Return the kinds of generators in polynomials, those in functions too."""
        found, met, waiting = set[str](), set[int](), list(values)
        while waiting:
            for generator in {g for monomial in waiting.pop() for g, _ in monomial} - met:
                met.add(generator)
                if self.keys[generator][0] == "function":
                    waiting.extend(self.arguments[generator])
                else:
                    found.add(self.keys[generator][0])
        return found

    def number(self, *key: Any) -> int:
        """Return the number of the generator of that key."""
        return self._number(key, ())


AT_ZERO = {"tanh": Fraction(0), "logistic": Fraction(1, 2), "exp": Fraction(1)}
MIRRORED = {
    "tanh": lambda value, s: add({}, value, -1),
    "logistic": lambda value, s: add(constant(1), value, -1),
    "softplus": lambda value, s: add(value, s),
}
"""Functions at s by their value at -s, and s."""
KNOWN = {"f": 1, "f'": 1, "tanh": 1, "logistic": 1, "exp": 1, "softplus": 1, "heaviside": 1}
"""Functions of one argument; L1, e1, e2, ... have 2 K, softmax1, ... K."""


# Reading, with every part checked: a certificate is untrusted data.


class Reader:
    """Reads polynomials over one table of generators into the ring.

    Args:
        ring: The ring.
        table: The generators.
        allowed: Kind of generator to the number of values of each of its indices.
        K: The number of outputs.
    """

    def __init__(self, ring: Ring, table: Any, allowed: dict[str, tuple[int, ...]], K: int) -> None:
        self.ring, self.allowed, self.K = ring, allowed, K
        self.made: list[Polynomial] = []
        for entry in _list(table, "generators"):
            self.made.append(self._generator(_list(entry, "a generator")))

    def _generator(self, entry: list[Any]) -> Polynomial:
        if entry[:1] == ["function"] and len(entry) == 3 and isinstance(entry[1], str):
            arguments = tuple(map(self.polynomial, _list(entry[2], "arguments")))
            name = entry[1]
            several = 2 * self.K if name == "L1" or _numbered(name, "e", self.K) else None
            several = self.K if _numbered(name, "softmax", self.K - 1) else several
            if len(arguments) != KNOWN.get(name, several):
                reject(f"a function {name} of {len(arguments)} arguments")
            return self.ring.apply(name, arguments)
        kind, *indices = entry or [""]
        most = self.allowed.get(kind) if isinstance(kind, str) else None
        if most is None or len(indices) != len(most):
            reject(f"the generator {entry!r:.60} has no place there")
        for index, below in zip(indices, most, strict=True):
            if type(index) is not int or not 0 <= index < below:
                reject(f"the generator {entry!r:.60} is out of range")
        return self.ring.symbol(kind, *indices)

    def polynomial(self, terms: Any) -> Polynomial:
        """Return a polynomial. Raises `Rejected` for anything else."""
        total: Polynomial = {}
        for term in _list(terms, "a polynomial"):
            if not isinstance(term, list) or len(term) != 2 or not isinstance(term[0], str):
                reject(f"a term is {term!r:.60}")
            product = constant(_fraction(term[0]))
            for pair in _list(term[1], "a monomial"):
                if not isinstance(pair, list) or len(pair) != 2 or any(type(n) is not int for n in pair):
                    reject(f"a power is {pair!r:.60}")
                if not (0 <= pair[0] < len(self.made) and 0 < pair[1] < 100):
                    reject(f"a power is {pair!r:.60}")
                product = multiply(product, power(self.made[pair[0]], pair[1]))
            total = add(total, product)
        return total

    def vector(self, polynomials: Any, length: int, what: str) -> Vector:
        """Return so many polynomials."""
        found = _list(polynomials, what)
        if len(found) != length:
            reject(f"{what} has {len(found)} entries; wanted {length}")
        return [self.polynomial(each) for each in found]


def _list(value: Any, what: str) -> list[Any]:
    return value if isinstance(value, list) else reject(f"{what} is no list")


def _fraction(text: str) -> Fraction:
    """Return a whole number or a quotient of two. Others, such as 1e9999999, could take for ever."""
    return Fraction(text) if re.fullmatch(r"-?[0-9]+(/[0-9]+)?", text) else reject(f"a number is {text!r:.60}")


def _numbered(name: str, stem: str, most: int) -> bool:
    number = name[len(stem) :]
    return name.startswith(stem) and number.isdigit() and 1 <= int(number) <= most


# The network: its forward equations, and the recursion that follows from them.


class Network:
    """The gradient's own recursion, from the forward equations of a certificate."""

    def __init__(self, ring: Ring, data: dict[str, Any]) -> None:
        self.ring = ring
        self.P, self.N = len(data["parameters"]), len(data["states"])
        if not self.P:
            reject("there are no parameters")
        _, self.D, self.K = data["sizes"]
        forward = data["forward"]
        allowed = {"theta": (self.P,), "z": (self.N,), "x": (1, self.D), "u": (self.K,), "y": (1, self.K)}
        read = Reader(ring, forward["generators"], allowed, self.K)
        self.state = read.vector(forward["state"], self.N, "the state")
        self.readout = read.vector(forward["readout"], self.K, "the readout")
        loss = read.polynomial(forward["loss"])
        self.given = forward["start"] is None
        self.before = [] if self.given else read.vector(forward["start"], self.N, "the start")
        for what, values, kinds in (
            ("the state", self.state, {"theta", "z", "x"}),
            ("the readout", self.readout, {"theta", "z", "x"}),
            ("the loss", [loss], {"u", "y"}),  # a term of theta would have a derivative that is not looked at
            ("the start", self.before, {"theta"}),
        ):
            if other := ring.kinds(values) - kinds:
                reject(f"{what} depends on {min(other)}")
        self.theta = [ring.number("theta", m) for m in range(self.P)]
        self.a = [ring.number("z", n) for n in range(self.N)]
        self.x = [ring.number("x", 0, d) for d in range(self.D)]
        self.state_slopes = self._slopes(self.state)
        self.readout_slopes = self._slopes(self.readout)
        self.errors = [ring.derivative(loss, {ring.number("u", k): constant(1)}) for k in range(self.K)]

    def _slopes(self, values: Vector) -> list[tuple[Vector, Vector]]:
        """Return the derivatives of each value by a, and by theta."""

        def along(value: Polynomial, generators: list[int]) -> Vector:
            return [self.ring.derivative(value, {g: constant(1)}) for g in generators]

        return [(along(value, self.a), along(value, self.theta)) for value in values]

    def start(self) -> Vector:
        """Return a(0) and M(0)."""
        if self.given:
            return [self.ring.symbol("a", n) for n in range(self.N)] + [{}] * (self.N * self.P)
        rows = [self.ring.derivative(value, {g: constant(1)}) for value in self.before for g in self.theta]
        return self.before + rows

    def advance(self, z: Vector, x: Vector, y: Vector, w: Polynomial) -> tuple[Vector, Vector]:
        """Return a(t) and M(t), and g_t."""
        ring, P = self.ring, self.P
        by: dict[int, Polynomial] = {g: {((g, 1),): Fraction(1)} for g in self.theta}
        by |= dict(zip(self.a, z[: self.N], strict=True)) | dict(zip(self.x, x, strict=True))
        kept: dict[int, Polynomial] = {}
        a = [ring.substituted(value, by, kept) for value in self.state]
        M = self._influence(self.state_slopes, z[self.N :], by, kept)
        by, kept = by | dict(zip(self.a, a, strict=True)), {}
        u = [ring.substituted(value, by, kept) for value in self.readout]
        rows = self._influence(self.readout_slopes, M, by, kept)
        at = {ring.number("u", k): value for k, value in enumerate(u)}
        at |= {ring.number("y", 0, k): value for k, value in enumerate(y)}
        kept = {}
        errors = [multiply(w, ring.substituted(error, at, kept)) for error in self.errors]
        shown: Vector = [{}] * P
        for k, error in enumerate(errors):
            shown = [add(total, multiply(error, rows[k * P + m])) for m, total in enumerate(shown)]
        return a + M, shown

    def _influence(
        self, slopes: list[tuple[Vector, Vector]], M: Vector, by: dict[int, Polynomial], kept: dict[int, Polynomial]
    ) -> Vector:
        """Return the derivatives of values by theta, through a and their own."""
        made: Vector = []
        for through, own in slopes:
            factors = [self.ring.substituted(each, by, kept) for each in through]
            for m in range(self.P):
                total = self.ring.substituted(own[m], by, kept)
                for n, factor in enumerate(factors):
                    total = add(total, multiply(factor, M[n * self.P + m]))
                made.append(total)
        return made


# The proof.


def check(data: Any) -> str:
    """Check one certificate.

    Args:
        data: The certificate, as `json.load` returns it.

    Returns:
        The statement that it proves.

    Raises:
        Rejected: It proves nothing.
    """
    try:
        return _Checked(data).statement()
    except Rejected:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError, RecursionError) as error:
        raise Rejected(f"it is no certificate: {error!r:.200}") from error


class _Checked:
    def __init__(self, data: Any) -> None:
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            reject(f"the format is not {FORMAT}")
        self.data, self.ring = data, Ring()
        for name in ("window", "first", "period"):
            if type(data[name]) is not int or not 0 <= data[name] <= 100:
                reject(f"{name} is {data[name]!r:.60}")
        if any(type(n) is not int or not 1 <= n <= 100 for n in data["sizes"]) or type(data["weighted"]) is not bool:
            reject("the sizes are no sizes")
        texts = [
            data["rule"],
            data["network"],
            *_list(data["parameters"], "parameters"),
            *_list(data["states"], "states"),
        ]
        if not all(isinstance(text, str) for text in texts):
            reject("a name is no text")
        self.h, self.first, self.B = data["window"], data["first"], data["period"]
        if self.B < 1 or self.first < self.h:
            reject("the window reaches back before step 1, or the period is 0")
        self.network = Network(self.ring, data)
        self.entries = len(data["entries"])
        self.relations = self._relations()
        generic = self._generic()
        after = self._step(generic)
        self._base(after)

    def statement(self) -> str:
        """Return what was shown."""
        data, network = self.data, self.network
        chosen = "".join(f", {name}={value}" for name, value in sorted(data["settings"].items()))
        return (
            f"{data['rule']}{chosen} on {data['network']}, {network.P} parameters, {network.N} numbers of state, "
            f"{network.D} inputs, {network.K} outputs: if its start, step and finish compute the polynomials listed, "
            f"its contributions sum to the gradient for every T"
        )

    def _inputs(self, j: int) -> tuple[Vector, Vector, Polynomial]:
        """Return the generators of what step j reads."""
        x = [self.ring.symbol("x", j, d) for d in range(self.network.D)]
        y = [self.ring.symbol("y", j, k) for k in range(self.network.K)]
        return x, y, self.ring.symbol("w", j) if self.data["weighted"] else constant(1)

    def _relations(self) -> list[tuple[str, Any]]:
        """Read what each of the numbers always is."""
        network, found = self.network, []
        every = _list(self.data["relations"], "relations")
        if len(every) != network.N + network.N * network.P:
            reject("the relations are not one for each number")
        for place, each in enumerate(every):
            kind, value = each
            if kind == "constant" and isinstance(value, str):
                value = constant(_fraction(value))
            elif kind == "parameter" and type(value) is int and 0 <= value < network.P:
                value = self.ring.symbol("theta", value)
            elif (
                kind != "alike" or type(value) is not int or not 0 <= value <= place or every[value] != ["alike", value]
            ):
                reject(f"the relation of number {place} is {each!r:.60}")
            found.append((kind, value))
        return found

    def _keeps(self, numbers: Vector, when: str) -> None:
        """Reject numbers that do not keep the relations."""
        for place, (kind, value) in enumerate(self.relations):
            if numbers[place] != (numbers[value] if kind == "alike" else value):
                reject(f"number {place} of the gradient's recursion is not what the relations say {when}")

    def _generic(self) -> Vector:
        """Return generators that stand for any numbers that keep the relations."""
        return [self.ring.symbol("z", value) if kind == "alike" else value for kind, value in self.relations]

    def _section(self, name: str, steps: int, allowed: dict[str, tuple[int, ...]], before: bool) -> dict[str, Any]:
        """Read what the rule made in some steps."""
        network, data = self.network, self.data[name]
        allowed = {"theta": (network.P,), "x": (steps, network.D), "y": (steps, network.K), **allowed}
        allowed |= {"w": (steps,)} if self.data["weighted"] else {}
        read = Reader(self.ring, data["generators"], allowed, network.K)
        taken = steps - self.h if before else steps
        if len(data["contributions"]) != taken or len(data["finishes"]) != taken + 1:
            reject(f"{name} has another number of steps")
        return {
            "before": read.vector(data["before"], self.entries, "the state before") if before else [],
            "after": read.vector(data["after"], self.entries, "the state after"),
            "contributions": [read.vector(each, network.P, "a contribution") for each in data["contributions"]],
            "finishes": [read.vector(each, network.P, "a last contribution") for each in data["finishes"]],
        }

    def _step(self, generic: Vector) -> dict[str, Any]:
        """Check one period from any numbers."""
        steps = self.h + self.B
        made = self._section("step", steps, {"z": (len(self.relations),)}, True)
        carried, shown = [generic], []
        for j in range(steps):
            after, contribution = self.network.advance(carried[-1], *self._inputs(j))
            carried.append(after)
            shown.append(contribution)
        self._keeps(carried[1], "after a step")
        self._telescopes(made, shown[self.h :], "in the step")
        move = self._moved(carried[self.B], self.B)
        if [move(each) for each in made["before"]] != made["after"]:
            reject("the state after a period is not what was identified")
        if [move(each) for each in made["finishes"][0]] != made["finishes"][-1]:
            reject("the last contribution after a period is another than before it")
        return made

    def _base(self, step: dict[str, Any]) -> None:
        """Check the steps from the start."""
        made = self._section("base", self.first, {"a": (self.network.N,)} if self.network.given else {}, False)
        carried, shown = [self.network.start()], []
        self._keeps(carried[0], "before step 1")
        for j in range(self.first):
            after, contribution = self.network.advance(carried[-1], *self._inputs(j))
            carried.append(after)
            shown.append(contribution)
        if any(made["finishes"][0]):
            reject("the rule contributes something before step 1")
        self._telescopes(made, shown, "in the base")
        move = self._moved(carried[self.first - self.h], self.first - self.h)
        if [move(each) for each in step["before"]] != made["after"]:
            reject("the state after the base is not what was identified")
        if [move(each) for each in step["finishes"][0]] != made["finishes"][-1]:
            reject("the last contribution after the base is not that of the step")

    def _moved(self, numbers: Vector, later: int) -> Any:
        """Return a function that takes polynomials of the window to the window so many steps later."""
        network, ring = self.network, self.ring
        by = {ring.number("theta", m): ring.symbol("theta", m) for m in range(network.P)}
        by |= {ring.number("z", n): value for n, value in enumerate(numbers)}
        for j in range(self.h):
            now, then = self._inputs(j), self._inputs(j + later)
            for kind, before, after in (("x", now[0], then[0]), ("y", now[1], then[1])):
                by |= {ring.number(kind, j, n): after[n] for n in range(len(before))}
            if self.data["weighted"]:
                by[ring.number("w", j)] = then[2]
        kept: dict[int, Polynomial] = {}
        return lambda value: ring.substituted(value, by, kept)

    def _telescopes(self, made: dict[str, Any], shown: list[Vector], where: str) -> None:
        """Reject contributions that are not, with the last ones, those of the losses."""
        finishes = made["finishes"]
        for n, want in enumerate(shown):
            for m, value in enumerate(want):
                got = add(made["contributions"][n][m], add(finishes[n + 1][m], finishes[n][m], -1))
                if got != value:
                    reject(f"contribution {n + 1} to {self.data['parameters'][m]} is wrong {where}")


def _printable(text: str) -> str:
    """Return a text of a certificate on one line: a line break could make it look like the outcome of another file."""
    return "".join(c if c.isprintable() else "?" for c in text)


def main(paths: list[str]) -> int:
    """Check files. Return the exit status."""
    status = 0 if paths else 2
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError, RecursionError) as error:
            print(f"{path}: cannot be read: {error}")
            status = 2
            continue
        try:
            print(f"{path}: holds. {_printable(check(data))}")
        except Rejected as error:
            print(f"{path}: REJECTED: {_printable(str(error))}")
            status = max(status, 1)
    if not paths:
        print("usage: check.py certificate.json ...")
    return status


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    raise SystemExit(main(sys.argv[1:]))
