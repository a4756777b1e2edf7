"""Small helpers that need nothing but Python; every folder may import them."""
