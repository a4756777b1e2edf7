"""`python -m loadtest users`: closed-loop load by real Locust, in the four kinds REST/gRPC x single/batch."""
