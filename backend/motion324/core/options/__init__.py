"""What a user may choose, each option declared once: of a job, and of what is made from its result."""
