"""Servers in containers: a driver for engines of Docker and Podman, and one for a swarm's services."""
