"""The papers' losses, the prompt pairs that some of them teach, and what holds losses together."""
