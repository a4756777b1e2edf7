"""What the model is asked, and what its answers mean. answerer.py has the order of things."""
