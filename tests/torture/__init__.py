# SPDX-License-Identifier: ISC
"""Nodes under load that are killed again and again, and a ledger of what was promised meanwhile: see `run`."""
