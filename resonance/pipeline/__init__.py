"""The stages of a post's way through the house: plain functions of (store, settings, now).

collect → score → hours → graph → spread → detect → deliver. They hand over through the store: each can be killed at any
instruction and run again.
"""
