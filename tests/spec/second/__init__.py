# SPDX-License-Identifier: ISC
"""What doc/spec says, once more: written from its text alone, and sharing no line with the node. See ../test_vectors.py."""
