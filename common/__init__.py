"""What every folder may import: checks, words, addresses, protobuf fields. It imports only Python."""
