"""What every folder may import: checks, another program's words, addresses. It imports only Python."""
