"""Statements of the lecture about costs, slide by slide."""

from __future__ import annotations

from .printed import Printed

COSTS = (
    Printed(
        "cost-bptt-storage",
        "BPTT: complexity",
        "What BPTT stores",
        "storage of all activations at all time steps",
        "With the input of every step, which it reads again on the way back.",
    ),
    Printed(
        "cost-bptt-time",
        "BPTT: complexity",
        "Time of BPTT",
        r"complexity of BPTT is $\mathcal{O}(TI(I+K+D))$",
        "For a whole sequence, as each of these rows.",
    ),
    Printed(
        "cost-bptt-space",
        "BPTT: complexity",
        "BPTT is local in space",
        "BPTT is local in space (complexity per time step and weight is independent of the number of weights)",
        "A few operations per step and weight, however many weights there are.",
    ),
    Printed(
        "cost-truncated-time",
        "Truncated BPTT: complexity",
        "Time of truncated BPTT",
        r"complexity of truncated BPTT is $\mathcal{O}(\tau I(I+K+D))$",
        "That is what one loss costs. With a loss at every step each of $T$ losses goes back $\\tau$ steps.",
        r"complexity of truncated BPTT is $\mathcal{O}(\tau I(I+K+D))$ per time step with a loss",
    ),
    Printed(
        "cost-rtrl-time-local",
        "RTRL: complexity",
        "RTRL is local in time",
        r"RTRL is local in time (independent of the sequence length $T$)",
        "The work of a step and the storage are the same at every step.",
    ),
    Printed(
        "cost-rtrl-long",
        "RTRL: complexity",
        "What RTRL is for",
        "RTRL is an alternative for very long sequences",
        "It keeps less than BPTT once the sequence is longer than about $I^2$, and takes more operations.",
    ),
    Printed(
        "cost-rtrl-time",
        "RTRL: complexity",
        "Time of RTRL",
        r"RTRL has at least complexity of $\mathcal{O}(I^4)$",
        "Per step; at least and at most.",
    ),
    Printed(
        "cost-rtrl-update",
        "RTRL: complexity",
        "The update of the derivatives",
        "the update requires a sum over $I$ terms",
        "For each of the derivatives that are tracked.",
    ),
    Printed(
        "cost-rtrl-storage",
        "RTRL: complexity",
        "Storage of RTRL",
        "independent of the sequence length $T$",
        "But larger than the network by a factor of $I$.",
    ),
    Printed(
        "cost-schmidhuber-time",
        "Schmidhuber's approach",
        "Time of Schmidhuber's algorithm",
        r"Jürgen Schmidhuber's algorithm has complexity of $\mathcal{O}(I^3)$",
        "Per step, on average over a block of length $I$; the last step of a block alone takes more.",
    ),
    Printed(
        "cost-schmidhuber-block",
        "Schmidhuber's approach",
        "BPTT within a block",
        r"within each block BPTT is performed: $\mathcal{O}(I^3)$",
        "A block has $I$ steps, so that this is $T = I$ in the time of BPTT.",
    ),
    Printed(
        "cost-schmidhuber-step",
        "Schmidhuber's approach",
        "What RTRL adds",
        r"complexity per time step for each block with RTRL is $\mathcal{O}(I^3)$",
        "It is done once in a block, for $\\mathcal{O}(I^4)$ operations.",
    ),
    Printed(
        "cost-schmidhuber-all",
        "Schmidhuber's approach",
        "The complexity of BPTT",
        "we have $T/I$ such blocks, hence the complexity of BPTT",
        "$T/I$ blocks at $\\mathcal{O}(I^4)$ each are $\\mathcal{O}(T I^3)$, more than BPTT by a factor of $I$.",
        "we have $T/I$ such blocks, hence $\\mathcal{O}(T I^3)$: by a factor of $I$ less than RTRL, "
        "and by one more than BPTT",
    ),
    Printed(
        "cost-schmidhuber-storage",
        "Schmidhuber's approach",
        "What Schmidhuber's algorithm stores",
        "only the activations of sequences of length $I$ have to be stored",
        "The derivatives that are carried between blocks are the larger part.",
        "the activations of sequences of length $I$ have to be stored, and the $I^2 (I + D)$ derivatives of the units",
    ),
)
