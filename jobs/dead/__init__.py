"""Dead letters: jobs that were given up, kept with the reason until somebody decides."""
