"""Who is approached for which purpose: next best actions, audiences, their deliveries and what came of them."""
