"""Pandera schemas from contracts, quarantine and reconciliation. Decides which rows and cells are fit."""
