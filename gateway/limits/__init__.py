"""What one client may take: tokens, threads that wait, memory and time of uploads."""
