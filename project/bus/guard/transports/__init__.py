"""Kombu's transports with the guard. configure() puts them in place of kombu's own, in every process.

Messages on queues that are not the bus's pass as kombu delivers them.
"""
