"""The lecture on RTRL and on Schmidhuber's approach, slide by slide, and what it says of cost."""

from __future__ import annotations

from .printed import Printed

_S = r"\frac{\partial s_n(t)}{\partial r_{ij}}"
_S_W = r"\frac{\partial s_n(t)}{\partial w_{dj}}"
_LOSS_R = r"\frac{\partial L(\boldsymbol{y}(t), \hat{\boldsymbol{y}}(t))}{\partial \boldsymbol{R}}"
_ERROR = r"\frac{\partial L(\boldsymbol{y}(t), \hat{\boldsymbol{y}}(t))}{\partial \hat{y}_k(t)}"

RTRL = (
    Printed(
        "during-forward",
        "Real-time recurrent learning",
        "The gradient during the forward pass",
        "Real-time recurrent learning (RTRL) computes all contributions to the gradients during the forward pass",
        "At fixed weights. After every step the gradient of all the losses so far is complete.",
    ),
    Printed(
        "tracked",
        "Real-time recurrent learning",
        "What RTRL tracks",
        "The derivative of each unit with respect to each weight is tracked",
        "The influence matrix, judged here entry by entry.",
    ),
    Printed(
        "not-stored",
        "Real-time recurrent learning",
        "What RTRL need not store",
        "Thus, activations need not be stored along the whole sequence",
        "One vector of activations suffices, the last.",
    ),
    Printed(
        "entries",
        "Real-time recurrent learning",
        "The size of the influence tensor",
        r"\frac{\partial \boldsymbol{s}(t)}{\partial \boldsymbol{R}} \text{ has } I^3 \text{ entries to be memorized"
        r" and updated}",
        "Structural zeros could have saved some of them. From the second step on there are none.",
    ),
    Printed(
        "s-component",
        "RTRL: one neuron",
        "One pre-activation",
        r"s_n(t) = \sum_{l=1}^{D} w_{ln}\, x_l(t) + \sum_{l=1}^{I} r_{kn}\, a_k(t-1)",
        "The second sum runs over $l$ and its terms speak of $k$. Taken at its word it adds the same term $I$ times; "
        "the next "
        "slide sums over $k$.",
        r"s_n(t) = \sum_{l=1}^{D} w_{ln}\, x_l(t) + \sum_{k=1}^{I} r_{kn}\, a_k(t-1)",
    ),
    Printed(
        "depends",
        "RTRL: one neuron",
        "The state before depends on the weights",
        r"\boldsymbol{s}(t-1) \text{ also depends on } \boldsymbol{W} \text{ and } \boldsymbol{R}",
        "The price of weights without a time index. Forgetting it is truncation to one step.",
    ),
    Printed(
        "ds-dR-sum",
        "RTRL: recursion",
        "The influence of R, first line",
        rf"{_S} = \sum_{{k=1}}^{{I}} \frac{{\partial r_{{kn}}}}{{\partial r_{{ij}}}} a_k(t-1)"
        r" + \sum_{k=1}^{I} r_{kn}\, \frac{\partial a_k(t-1)}{\partial r_{ij}}",
        "The product rule.",
    ),
    Printed(
        "ds-dR",
        "RTRL: recursion",
        "The influence of R, second line",
        rf"{_S} = a_i(t-1)\, [n=j] + \sum_{{k=1}}^{{I}} r_{{kn}}\, f'(s_k(t-1))\, \frac{{\partial s_k(t-1)}}{{\partial"
        rf" r_{{ij}}}}",
        "Every index is in its place: $r_{ij}$ reads unit $i$ and writes unit $j$, which is what the formulas for BPTT "
        "turned around.",
    ),
    Printed(
        "ds-dW-sum",
        "RTRL: recursion",
        "The influence of W, first line",
        rf"{_S_W} = \sum_{{l=1}}^{{D}} \frac{{\partial w_{{ln}}}}{{\partial w_{{dj}}}} x_l(t)"
        r" + \sum_{k=1}^{I} r_{kn}\, \frac{\partial a_k(t-1)}{\partial w_{dj}}",
        "The product rule again; $R$ does not depend on $W$.",
    ),
    Printed(
        "ds-dW",
        "RTRL: recursion",
        "The influence of W, second line",
        rf"{_S_W} = x_d(t)\, [n=j] + \sum_{{k=1}}^{{I}} r_{{kn}}\, f'(s_k(t-1))\, \frac{{\partial s_k(t-1)}}{{\partial"
        rf" w_{{dj}}}}",
        "The same recursion with the input in place of the activation.",
    ),
    Printed(
        "start-s",
        "RTRL: initialization",
        "The initial pre-activations",
        r"s_k(0) = 0",
        "With $a(0) = 0$ and $a = f(s)$ this asks for $f(0) = 0$, which the logistic "
        "function denies. "
        "The recursions do not need it.",
        r"\boldsymbol{a}(0) = \boldsymbol{0}, \quad"
        r" \frac{\partial s_k(0)}{\partial w_{dj}} = \frac{\partial s_k(0)}{\partial r_{ij}} = 0",
    ),
    Printed(
        "start-derivatives",
        "RTRL: initialization",
        "The initial derivatives",
        r"\frac{\partial s_k(0)}{\partial w_{dj}} = \frac{\partial s_k(0)}{\partial r_{ij}} = 0",
        "Whatever constant $a(0)$ is, and whatever $f'(s_k(0))$ is taken to be: it is multiplied by zero.",
    ),
    Printed(
        "da-dR",
        "RTRL: initialization",
        "From pre-activations to activations",
        r"\frac{\partial \boldsymbol{a}(t)}{\partial \boldsymbol{R}}"
        r" = \operatorname{diag}(f'(\boldsymbol{s}(t)))\, \frac{\partial \boldsymbol{s}(t)}{\partial \boldsymbol{R}}",
        "A matrix times a tensor of three indices, joined at the unit's.",
    ),
    Printed(
        "must-store",
        "RTRL: initialization",
        "What must be stored",
        "At every time step t, RTRL must store the derivatives for computing the gradients for the next time step t+1",
        "They are the only memory of the past that RTRL has, beside the activations themselves.",
    ),
    Printed(
        "loss-dR-chain",
        "RTRL: gradient of the loss",
        "The chain rule through the outputs",
        rf"{_LOSS_R} = \sum_k {_ERROR}\, \frac{{\partial \hat{{y}}_k(t)}}{{\partial \boldsymbol{{R}}}}",
        "For one time step; the sum over $t$ is the gradient.",
    ),
    Printed(
        "loss-dR",
        "RTRL: gradient of the loss",
        "The gradient from the tracked derivatives",
        rf"{_LOSS_R} = \sum_k e_k(t)\, \frac{{\partial a_k(t)}}{{\partial \boldsymbol{{R}}}}",
        "For the network of the lecture, whose outputs are $g(V^\\top a(t))$, the error "
        "has to come back "
        "through $g$ and $V$ first. The slide drops both, and says so: see the next row.",
        rf"{_LOSS_R} = \sum_i \left(\boldsymbol{{V}} \left(\boldsymbol{{e}}(t) \odot g'(\boldsymbol{{V}}^\top"
        rf" \boldsymbol{{a}}(t))\right)\right)_i"
        r"\, \frac{\partial a_i(t)}{\partial \boldsymbol{R}}",
    ),
    Printed(
        "readout",
        "RTRL: gradient of the loss",
        "The same, under the slide's own assumption",
        rf"a_k(t) = \hat{{y}}_k(t): \quad {_LOSS_R} = \sum_k e_k(t)\, \frac{{\partial a_k(t)}}{{\partial"
        rf" \boldsymbol{{R}}}}",
        "Where the activations are the outputs, nothing is missing.",
    ),
)

SCHMIDHUBER = (
    Printed(
        "not-truncated",
        "Schmidhuber's approach",
        "Exact",
        "Jürgen Schmidhuber's algorithm is exact and not truncated",
        "Whatever the length of the blocks, and wherever the last one ends.",
    ),
    Printed(
        "blocks",
        "Schmidhuber's approach",
        "The idea",
        "Divide the sequence in blocks of length I; within each block BPTT is performed; after each block RTRL is "
        "performed to "
        "collect all gradients",
        "The step at the end of a block is what makes it exact. Without it this is truncated BPTT in chunks.",
    ),
)
