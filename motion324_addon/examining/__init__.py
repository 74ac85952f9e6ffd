"""Quick looks at the video before a job, and a mesh that is made of it; operators and panels may import them."""
