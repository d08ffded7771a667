"""Stands for the script that people copied; waits until the hub ends it."""

import signal

signal.pause()
