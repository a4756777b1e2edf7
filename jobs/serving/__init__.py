"""What `python -m jobs serve` puts together: the model server, the workers, and what is said of them."""
