"""Problems for each kind of evidence, and the Hypothesis strategies that draw them."""
