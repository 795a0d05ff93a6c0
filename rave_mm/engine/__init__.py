"""How training runs: phases after one another."""
