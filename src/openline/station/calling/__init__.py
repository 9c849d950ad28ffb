"""Voice calls at work: what rings, who sits in a call, what passes between the consoles, and what is kept of it."""
