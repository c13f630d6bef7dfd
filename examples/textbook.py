"""RNN, GRU and LSTM as NumPy tutorials write them: a class with weights, np.zeros, and a loop backwards.

The classes know nothing of gradcheck. Below them are the cells' forward equations and adapters of a few lines:

gradcheck audit examples/textbook.py:rnn      proved
gradcheck audit examples/textbook.py:gru      proved
gradcheck audit examples/textbook.py:lstm     proved
"""

import numpy as np

import gradcheck


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class RNN:
    """h = tanh(Wx x + Wh h + b), y = Wy h + c, half the squared error; starts from zeros."""

    def __init__(self, Wx, Wh, b, Wy, c):
        self.Wx, self.Wh, self.b, self.Wy, self.c = Wx, Wh, b, Wy, c

    def loss_and_grads(self, xs, ys):
        T, H = len(xs), len(self.b)
        hs = np.zeros((T + 1, H))
        loss = 0.0
        for t in range(T):
            hs[t] = np.tanh(self.Wx @ xs[t] + self.Wh @ hs[t - 1] + self.b)  # hs[-1] is zeros
            loss = loss + ((self.Wy @ hs[t] + self.c - ys[t]) ** 2).sum() / 2
        dWx, dWh, db = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(H)
        dWy, dc, dh_next = np.zeros(self.Wy.shape), np.zeros(len(self.c)), np.zeros(H)
        for t in reversed(range(T)):
            dy = self.Wy @ hs[t] + self.c - ys[t]
            dWy += np.outer(dy, hs[t])
            dc += dy
            dz = (self.Wy.T @ dy + dh_next) * (1 - hs[t] ** 2)
            dWx += np.outer(dz, xs[t])
            dWh += np.outer(dz, hs[t - 1])
            db += dz
            dh_next = self.Wh.T @ dz
        return loss, {"Wx": dWx, "Wh": dWh, "b": db, "Wy": dWy, "c": dc}


class GRU:
    """Cho et al. 2014: the reset gate acts before the recurrent product."""

    def __init__(self, Wz, Wr, Wn, Wy):
        self.Wz, self.Wr, self.Wn, self.Wy = Wz, Wr, Wn, Wy

    def loss_and_grads(self, xs, ys):
        H, T = len(self.Wz), len(xs)
        h, cache, loss = np.zeros(H), [], 0.0
        for t in range(T):
            hx = np.concatenate([h, xs[t]])
            z, r = sigmoid(self.Wz @ hx), sigmoid(self.Wr @ hx)
            rhx = np.concatenate([r * h, xs[t]])
            n = np.tanh(self.Wn @ rhx)
            cache.append((h, hx, z, r, rhx, n))
            h = (1 - z) * n + z * h
            cache[-1] += (h,)
            loss = loss + ((self.Wy @ h - ys[t]) ** 2).sum() / 2
        dWz, dWr, dWn = np.zeros(self.Wz.shape), np.zeros(self.Wr.shape), np.zeros(self.Wn.shape)
        dWy, dh = np.zeros(self.Wy.shape), np.zeros(H)
        for t in reversed(range(T)):
            h_prev, hx, z, r, rhx, n, h = cache[t]
            dy = self.Wy @ h - ys[t]
            dWy += np.outer(dy, h)
            dh = dh + self.Wy.T @ dy
            dn = dh * (1 - z) * (1 - n**2)
            dz = dh * (h_prev - n) * z * (1 - z)
            dWn += np.outer(dn, rhx)
            dWz += np.outer(dz, hx)
            drh = (self.Wn.T @ dn)[:H]
            dr = drh * h_prev * r * (1 - r)
            dWr += np.outer(dr, hx)
            dh = dh * z + drh * r + (self.Wz.T @ dz)[:H] + (self.Wr.T @ dr)[:H]
        return loss, {"Wz": dWz, "Wr": dWr, "Wn": dWn, "Wy": dWy}


class LSTM:
    """Four gates in one matrix, in the order i, f, g, o."""

    def __init__(self, W, b, Wy):
        self.W, self.b, self.Wy = W, b, Wy

    def loss_and_grads(self, xs, ys):
        H, T = len(self.b) // 4, len(xs)
        h, c, cache, loss = np.zeros(H), np.zeros(H), [], 0.0
        for t in range(T):
            hx = np.concatenate([h, xs[t]])
            a = self.W @ hx + self.b
            i, f, g, o = sigmoid(a[:H]), sigmoid(a[H : 2 * H]), np.tanh(a[2 * H : 3 * H]), sigmoid(a[3 * H :])
            c_prev, c = c, f * c + i * g
            h = o * np.tanh(c)
            cache.append((hx, i, f, g, o, c_prev, c, h))
            loss = loss + ((self.Wy @ h - ys[t]) ** 2).sum() / 2
        dW, db, dWy = np.zeros(self.W.shape), np.zeros(4 * H), np.zeros(self.Wy.shape)
        dh, dc = np.zeros(H), np.zeros(H)
        for t in reversed(range(T)):
            hx, i, f, g, o, c_prev, c, h = cache[t]
            dy = self.Wy @ h - ys[t]
            dWy += np.outer(dy, h)
            dh = dh + self.Wy.T @ dy
            tanh_c = np.tanh(c)
            dc = dc + dh * o * (1 - tanh_c**2)
            da = np.concatenate(
                [dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)]
            )
            dW += np.outer(da, hx)
            db += da
            dh, dc = (self.W.T @ da)[:H], dc * f
        return loss, {"W": dW, "b": db, "Wy": dWy}


def _rnn_step(p, h, x):
    return np.tanh(p["Wx"] @ x + p["Wh"] @ h + p["b"])


def _gru_step(p, h, x):
    hx = np.concatenate([h, x])
    z, r = sigmoid(p["Wz"] @ hx), sigmoid(p["Wr"] @ hx)
    return (1 - z) * np.tanh(p["Wn"] @ np.concatenate([r * h, x])) + z * h


def _lstm_step(p, state, x):
    h, c = state
    H = len(h)
    a = p["W"] @ np.concatenate([h, x]) + p["b"]
    c = sigmoid(a[H : 2 * H]) * c + sigmoid(a[:H]) * np.tanh(a[2 * H : 3 * H])
    return sigmoid(a[3 * H :]) * np.tanh(c), c


RNN_CELL = gradcheck.network(
    _rnn_step,
    lambda p, h: p["Wy"] @ h + p["c"],
    {"Wx": ("I", "D"), "Wh": ("I", "I"), "b": "I", "Wy": ("K", "I"), "c": "K"},
    initial_state="zeros",
    name="textbook RNN",
)
GRU_CELL = gradcheck.network(
    _gru_step,
    lambda p, h: p["Wy"] @ h,
    {**{name: ("I", "I+D") for name in ("Wz", "Wr", "Wn")}, "Wy": ("K", "I")},
    initial_state="zeros",
    name="textbook GRU",
)
LSTM_CELL = gradcheck.network(
    _lstm_step,
    lambda p, state: p["Wy"] @ state[0],
    {"W": ("4*I", "I+D"), "b": "4*I", "Wy": ("K", "I")},
    state=(("I",), ("I",)),
    initial_state="zeros",
    name="textbook LSTM",
)


@gradcheck.rule(gradcheck.Exact(), networks=[RNN_CELL])
def rnn(problem):
    return RNN(**problem.parameters).loss_and_grads(problem.inputs, problem.targets)[1]


@gradcheck.rule(gradcheck.Exact(), networks=[GRU_CELL])
def gru(problem):
    return GRU(**problem.parameters).loss_and_grads(problem.inputs, problem.targets)[1]


@gradcheck.rule(gradcheck.Exact(), networks=[LSTM_CELL])
def lstm(problem):
    return LSTM(**problem.parameters).loss_and_grads(problem.inputs, problem.targets)[1]
