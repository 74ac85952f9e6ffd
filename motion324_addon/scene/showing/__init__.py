"""Looking at it: video behind the result, turntables, views; settings, panels, operators and batches may import it."""
