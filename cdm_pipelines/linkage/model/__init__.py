"""The Fellegi-Sunter model: u- and m-probabilities, term frequencies, fitting, weights."""
