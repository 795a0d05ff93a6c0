"""What training and testing run: a network, its losses, and whose turn it is to learn."""
