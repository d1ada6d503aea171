# SPDX-License-Identifier: ISC
"""What the demo and the system tests share: an installation, a private tor network, nodes, and ways to look at them."""
import sys

sys.dont_write_bytecode = True
