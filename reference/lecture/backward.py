"""The lecture from the loss to truncated backpropagation, slide by slide."""

from __future__ import annotations

from .printed import Printed

_DIAG_G = r"\operatorname{diag}(g'(\boldsymbol{V}^\top \boldsymbol{a}(t)))"
_SUM = r"\sum_{t=1}^{T}"
_LOSS_T = r"L(\boldsymbol{y}(t), \hat{\boldsymbol{y}}(t))"
_DV_PRINTED = (
    r"\frac{\partial L}{\partial \boldsymbol{V}} ="
    rf" {_SUM} \boldsymbol{{e}}(t)\, {_DIAG_G}\, \boldsymbol{{a}}(t)^\top"
)
_DV_TRUE = (
    r"\frac{\partial L}{\partial \boldsymbol{V}} ="
    rf" {_SUM} \boldsymbol{{a}}(t)\, \boldsymbol{{e}}(t)^\top {_DIAG_G}"
)
_DR_TRUE = (
    r"\frac{\partial L}{\partial \boldsymbol{R}} ="
    rf" {_SUM} \boldsymbol{{a}}(t-1)\, \boldsymbol{{\delta}}(t)^\top"
)

FORWARD_AND_DELTA = (
    Printed(
        "risk",
        "Loss and gradient descent",
        "The empirical risk",
        r"\frac{1}{N} \sum_{n=1}^{N} L\left(\boldsymbol{y}(1{:}T)^{(n)}, \hat{\boldsymbol{y}}(1{:}T)^{(n)}\right)"
        r" = \frac{1}{N} \sum_{n=1}^{N} \sum_{t=1}^{T} L\left(\boldsymbol{y}(t)^{(n)},"
        r" \boldsymbol{g}\left(\boldsymbol{a}(0), \boldsymbol{x}(1{:}t)^{(n)}; \boldsymbol{w}\right)\right)",
        "Where sequences differ in length, read $T$ as the length of sequence $n$. The $g$ of this line is the whole "
        "network, the $g$ further down only its output function.",
    ),
    Printed(
        "descent",
        "Loss and gradient descent",
        "A step of gradient descent",
        r"\boldsymbol{w}^{\mathrm{new}} = \boldsymbol{w}^{\mathrm{old}} - \eta\, \nabla_{\boldsymbol{w}} L",
        "The lecture asks that the loss become smaller. It does for every small enough $\\eta$, to first order by "
        "$\\eta\\, \\|\\nabla L\\|^2$; how small is small enough, no slide can know.",
    ),
    Printed(
        "network",
        "The network",
        "The forward equations",
        r"\boldsymbol{s}(t) = \boldsymbol{W}^\top \boldsymbol{x}(t) + \boldsymbol{R}^\top \boldsymbol{a}(t-1), \quad"
        r" \boldsymbol{a}(t) = f(\boldsymbol{s}(t)), \quad \hat{\boldsymbol{y}}(t) = g(\boldsymbol{V}^\top"
        r" \boldsymbol{a}(t)),"
        rf" \quad L = {_SUM} {_LOSS_T}",
        "A definition. The two transposes in it are the ones to remember: $r_{ij}$ leads from unit $i$ to unit $j$.",
    ),
    Printed(
        "zero-start",
        "The network",
        "The initial activations",
        r"\boldsymbol{a}(0) = \boldsymbol{0}",
        "A convention, and a harmless one: nothing below depends on it except what is said of $s_k(0)$ under RTRL.",
    ),
    Printed(
        "dV-sum",
        "Gradients of V",
        "The gradient is a sum over time",
        rf"\frac{{\partial L}}{{\partial v_{{ik}}}} = {_SUM} \frac{{\partial {_LOSS_T}}}{{\partial v_{{ik}}}}",
        "The loss is a sum and the derivative is linear.",
    ),
    Printed(
        "yhat-component",
        "Gradients of V",
        "One output",
        r"\hat{y}_k = g\left(\sum_{i=1}^{I} v_{ik}\, a_i(t)\right)",
        "The time index of $\\hat{y}_k$ is understood.",
    ),
    Printed(
        "dV-chain",
        "Gradients of V",
        "The chain rule through all outputs",
        rf"\frac{{\partial L}}{{\partial v_{{ik}}}} = {_SUM} \frac{{\partial {_LOSS_T}}}{{\partial"
        rf" \hat{{\boldsymbol{{y}}}}(t)}}"
        r"\, \frac{\partial \hat{\boldsymbol{y}}(t)}{\partial v_{ik}}",
        "A row vector times a column vector: the sum over the outputs.",
    ),
    Printed(
        "dyhat-cross",
        "Gradients of V",
        "Other outputs do not depend on this weight",
        r"\frac{\partial \hat{y}_\ell}{\partial v_{ik}} = 0 \quad (\ell \neq k)",
        "True of an elementwise $g$, which $\\operatorname{diag}(g')$ supposes too. Softmax couples its outputs.",
    ),
    Printed(
        "dV-component",
        "Gradients of V",
        "The chain rule through one output",
        rf"\frac{{\partial L}}{{\partial v_{{ik}}}} = {_SUM} \frac{{\partial {_LOSS_T}}}{{\partial \hat{{y}}_k(t)}}"
        r"\, \frac{\partial \hat{y}_k(t)}{\partial v_{ik}}",
        "It follows from the two lines before.",
    ),
    Printed(
        "least-squares",
        "Gradient of V",
        "The error of the least squares loss",
        rf"\frac{{\partial {_LOSS_T}}}{{\partial \hat{{y}}_k(t)}} = \hat{{y}}_k(t) - y_k(t)",
        "With the usual factor 1/2 in the loss, which the slide does not print.",
    ),
    Printed(
        "dyhat-sum",
        "Gradient of V",
        "The output's derivative, first equality",
        r"\frac{\partial \hat{y}_k}{\partial v_{ik}} = \sum_{j=1}^{I} \frac{\partial\, v_{jk} a_j(t)}{\partial v_{ik}}",
        "The sum is the argument of $g$, and its derivative is $a_i(t)$ alone: the factor $g'$ enters one equality "
        "late. "
        "Where $g$ is the identity nothing is missing.",
        r"\frac{\partial \hat{y}_k}{\partial v_{ik}}"
        r" = g'\left((\boldsymbol{V}^\top \boldsymbol{a}(t))_k\right) \sum_{j=1}^{I} \frac{\partial\, v_{jk}"
        r" a_j(t)}{\partial v_{ik}}",
    ),
    Printed(
        "dyhat-own",
        "Gradient of V",
        "The output's derivative, result",
        r"\frac{\partial \hat{y}_k}{\partial v_{ik}} = g'(a_i(t))\, a_i(t)",
        "The argument of $g'$ is the argument of $g$. The formula for $\\partial L / \\partial V$ on the "
        "same "
        "slide has it right.",
        r"\frac{\partial \hat{y}_k}{\partial v_{ik}} = g'\left((\boldsymbol{V}^\top \boldsymbol{a}(t))_k\right) a_i(t)",
    ),
    Printed(
        "yhat-linear",
        "Gradient of V",
        "One output, again",
        r"\hat{y}_k = \sum_{i=1}^{I} v_{ik}\, a_i(t)",
        "The slide before has the $g$. With the identity for $g$ this line and the two before it all hold, which is "
        "probably the network they were written for.",
        r"\hat{y}_k = g\left(\sum_{i=1}^{I} v_{ik}\, a_i(t)\right)",
    ),
    Printed(
        "dV-matrix",
        "Gradient of V",
        "The gradient as a matrix",
        _DV_PRINTED,
        "With $e(t)$ read as the row that the product needs, this is $K \\times I$, and $V$ is $I \\times K$.",
        _DV_TRUE,
    ),
    Printed(
        "delta-definition",
        "Delta propagation: recursion",
        "What delta is",
        r"\boldsymbol{\delta}(t)^\top = \frac{\partial L}{\partial \boldsymbol{s}(t)}"
        r" = \frac{\partial L}{\partial \boldsymbol{a}(t)}\, \frac{\partial \boldsymbol{a}(t)}{\partial"
        r" \boldsymbol{s}(t)}",
        "Here $L$ is the loss of the whole sequence: $a(t)$ reaches the later losses too.",
    ),
    Printed(
        "delta-next",
        "Delta propagation: recursion",
        "Two ways from here to the loss",
        r"\boldsymbol{\delta}(t)^\top = \left(\frac{\partial L(\boldsymbol{y}(t), \hat{\boldsymbol{y}}(t))}{\partial"
        r" \boldsymbol{a}(t)}"
        r" + \frac{\partial L}{\partial \boldsymbol{s}(t+1)}\, \frac{\partial \boldsymbol{s}(t+1)}{\partial"
        r" \boldsymbol{a}(t)}\right)"
        r"\, \frac{\partial \boldsymbol{a}(t)}{\partial \boldsymbol{s}(t)}",
        "Through the output now, or through the next pre-activation. At $t = T$ there is no next one, and the second "
        "term is absent.",
    ),
    Printed(
        "delta-output",
        "Delta propagation: recursion",
        "The first of them, through the output",
        r"\boldsymbol{\delta}(t)^\top = \left(\frac{\partial L}{\partial \hat{\boldsymbol{y}}(t)}"
        r"\, \frac{\partial \hat{\boldsymbol{y}}(t)}{\partial \boldsymbol{a}(t)}"
        r" + \frac{\partial L}{\partial \boldsymbol{s}(t+1)}\, \frac{\partial \boldsymbol{s}(t+1)}{\partial"
        r" \boldsymbol{a}(t)}\right)"
        r"\, \frac{\partial \boldsymbol{a}(t)}{\partial \boldsymbol{s}(t)}",
        "An output enters only the loss of its own step, so $L$ may stand for it.",
    ),
    Printed(
        "delta-recursion",
        "Delta propagation: recursion",
        "The recursion",
        rf"\boldsymbol{{\delta}}(t)^\top = \left(\boldsymbol{{e}}(t)^\top {_DIAG_G}\, \boldsymbol{{V}}^\top"
        r" + \boldsymbol{\delta}(t+1)^\top \boldsymbol{R}^\top\right) \operatorname{diag}(f'(\boldsymbol{s}(t)))",
        "The heart of the lecture, and right to the last transpose. It starts from $\\delta(T+1) = 0$.",
    ),
    Printed(
        "delta-range",
        "Delta propagation: recursion",
        "Where the recursion ends",
        "recursion starting at time $t=T$ and going backward to $t=0$",
        "One step too far, at no cost: nothing uses $\\delta(0)$. The loss does not depend on any "
        "$s(0)$, "
        "since $a(0)$ is given; the recursion, with $s(0) = 0$, says "
        "otherwise.",
        "recursion starting at time $t=T$ with nothing to come back from $T+1$, and going backward to $t=1$",
    ),
)

GRADIENTS = (
    Printed(
        "copies",
        "Gradient with respect to R",
        "Weights with a time index",
        r"\boldsymbol{W}(1) = \cdots = \boldsymbol{W}(T), \quad \boldsymbol{R}(1) = \cdots = \boldsymbol{R}(T): \quad"
        rf" \frac{{\partial L}}{{\partial r_{{ij}}}} = {_SUM} \frac{{\partial L}}{{\partial r_{{ij}}(t)}}",
        "The whole of unrolling in one line. It holds for $W$ as for $R$.",
    ),
    Printed(
        "dR-chain",
        "Gradient with respect to R",
        "The chain rule through all units",
        rf"\frac{{\partial L}}{{\partial r_{{ij}}}} = {_SUM} \frac{{\partial L}}{{\partial \boldsymbol{{s}}(t)}}"
        r"\, \frac{\partial \boldsymbol{s}(t)}{\partial r_{ij}(t)}",
        "A row vector times a column vector again.",
    ),
    Printed(
        "dR-unit",
        "Gradient with respect to R",
        "The chain rule through one unit",
        rf"\frac{{\partial L}}{{\partial r_{{ij}}}} = {_SUM} \frac{{\partial L}}{{\partial s_i(t)}}\, \frac{{\partial"
        rf" s_i(t)}}{{\partial r_{{ij}}(t)}}",
        "With $s = W^\\top x + R^\\top a$ the "
        "weight $r_{ij}$ enters "
        "$s_j$ and no other unit. Taken at its word, this line leaves only the diagonal of the gradient.",
        rf"\frac{{\partial L}}{{\partial r_{{ij}}}} = {_SUM} \frac{{\partial L}}{{\partial s_j(t)}}\, \frac{{\partial"
        rf" s_j(t)}}{{\partial r_{{ij}}(t)}}",
    ),
    Printed(
        "dR-component",
        "Gradient with respect to R",
        "The gradient of R",
        rf"\frac{{\partial L}}{{\partial r_{{ij}}}} = {_SUM} \delta_i(t)\, a_j(t-1)",
        "The gradient of a network with $s = R\\, a$. It is the dangerous "
        "one of the "
        "transposes: $R$ is square, so no program complains.",
        rf"\frac{{\partial L}}{{\partial r_{{ij}}}} = {_SUM} a_i(t-1)\, \delta_j(t)",
    ),
    Printed(
        "dW-component",
        "Gradient with respect to W",
        "The gradient of W",
        rf"\frac{{\partial L}}{{\partial w_{{ij}}}} = {_SUM} \delta_i(t)\, x_j(t)",
        "The same transpose; here the shapes give it away unless $D = I$.",
        rf"\frac{{\partial L}}{{\partial w_{{ij}}}} = {_SUM} x_i(t)\, \delta_j(t)",
    ),
    Printed(
        "summary-dW",
        "All gradients for BPTT",
        "Summary: W",
        rf"\frac{{\partial L}}{{\partial \boldsymbol{{W}}}} = {_SUM} \boldsymbol{{\delta}}(t)\,"
        rf" \boldsymbol{{x}}(t)^\top",
        "As before.",
        rf"\frac{{\partial L}}{{\partial \boldsymbol{{W}}}} = {_SUM} \boldsymbol{{x}}(t)\,"
        rf" \boldsymbol{{\delta}}(t)^\top",
    ),
    Printed(
        "summary-dR",
        "All gradients for BPTT",
        "Summary: R",
        rf"\frac{{\partial L}}{{\partial \boldsymbol{{R}}}} = {_SUM} \boldsymbol{{\delta}}(t)\,"
        rf" \boldsymbol{{a}}(t)^\top",
        "On the way to the summary $a(t-1)$ became $a(t)$. No transpose mends that: the "
        "recurrent weights "
        "at time $t$ read what the units said at $t-1$.",
        _DR_TRUE,
    ),
    Printed(
        "summary-dV",
        "All gradients for BPTT",
        "Summary: V",
        _DV_PRINTED,
        "As before; the slide closes one parenthesis more than it opens.",
        _DV_TRUE,
    ),
    Printed(
        "past-steps",
        "All gradients for BPTT",
        "Every output, all past time steps",
        "BPTT requires to compute the gradients for every network output with respect to all past time steps",
        "No past step may be left out, and no future one matters. One backward pass serves all the outputs at once.",
    ),
    Printed(
        "horizon",
        "Truncated BPTT",
        "How far one looks back",
        "A maximum number of τ time steps for the backward pass: the choice of τ determines how far one looks back",
        "Made precise: the loss at $t$ counts the uses of the parameters at $t, t-1, \\ldots, t-\\tau+1$, and no "
        "other.",
    ),
    Printed(
        "approximates",
        "Truncated BPTT",
        "An approximation",
        "Truncated BPTT only approximates the gradient since functional dependencies from the forward pass are cut",
        "It is exact as soon as $\\tau$ reaches $T$. Before that, a longer look back may well be a worse one.",
    ),
    Printed(
        "convergence",
        "Truncated BPTT",
        "No guarantee",
        "Training is not guaranteed to converge",
        "A denial of a guarantee needs one example. This one does not stall or wander: it walks uphill, at every "
        "learning rate.",
    ),
)
