"""The published weights: what there is, the user's consent to their licence, fetching, converting, checking.

Importing this package needs the standard library only; fetching needs huggingface-hub, converting needs torch.
"""
